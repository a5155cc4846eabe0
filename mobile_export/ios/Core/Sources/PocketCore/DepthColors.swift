import Foundation

// 256 colours from cold (dark blue) to warm (dark red), six hexadecimal digits each; written by
// `python -m mobile_export project` from the table that the desktop app uses.
private let table = "@COLOR_TABLE@"

// Share of the pixels at either end that does not stretch the range of colours.
private let strays = 0.02

private let black: UInt32 = 0xff00_0000

private let colors: [UInt32] = {
    let digits = Array(table)
    return (0..<256).map { i in
        black | UInt32(String(digits[6 * i..<6 * i + 6]), radix: 16)!
    }
}()

/// Near and far depth without the outermost two percent on each side.
public func depthRange(_ depth: [Float]) -> (near: Double, far: Double) {
    let sorted = depth.sorted()
    return (quantile(sorted, strays), quantile(sorted, 1 - strays))
}

/// Depth as colours 0xAARRGGBB: near is warm, far is cold, 0 and less is black.
///
/// Even steps of the logarithm: 10 % of the depth is the same change of colour everywhere.
public func colorDepth(_ depth: [Float], near: Double, far: Double) -> [UInt32] {
    let range = max(log(far / near), 1e-9)
    return depth.map { value in
        guard value > 0 else { return black }
        let place = min(max(log(Double(value) / near) / range, 0), 1)
        return colors[rounded(255 * (1 - place))]
    }
}

private func quantile(_ sorted: [Float], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    let step = Double(sorted[above]) - Double(sorted[below])
    return Double(sorted[below]) + (place - Double(below)) * step
}
