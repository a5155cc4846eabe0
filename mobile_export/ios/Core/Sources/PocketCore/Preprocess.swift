import Foundation

/// A fault that the user is told in one line.
public struct Fault: LocalizedError {
    public let errorDescription: String?

    public init(_ text: String) {
        errorDescription = text
    }
}

/// A camera frame of four bytes a pixel, rows of `rowStride` bytes.
public struct Frame {
    /// Where red, green and blue are among the four bytes.
    public enum Order {
        case rgba
        case bgra
    }

    public let bytes: [UInt8]
    public let width: Int
    public let height: Int
    public let rowStride: Int
    /// The clockwise turn in degrees (0, 90, 180 or 270) that makes the picture upright.
    public let rotation: Int
    public let order: Order

    public init(
        bytes: [UInt8], width: Int, height: Int, rowStride: Int, rotation: Int, order: Order
    ) {
        self.bytes = bytes
        self.width = width
        self.height = height
        self.rowStride = rowStride
        self.rotation = rotation
        self.order = order
    }
}

/// The upright frame, cropped about its centre to the aspect of the network's image and shrunk to
/// it: RGB, three bytes a pixel, `height` rows of `width`.
///
/// Every pixel is the mean of the area that it covers, so that fine texture does not become noise.
/// Throws a `Fault` if the crop is smaller than the network's image.
public func fitFrame(_ frame: Frame, height: Int, width: Int) throws -> [UInt8] {
    let lying = frame.rotation % 180 != 0
    let uprightWidth = lying ? frame.height : frame.width
    let uprightHeight = lying ? frame.width : frame.height
    let aspect = Double(width) / Double(height)
    let cropWidth = min(uprightWidth, rounded(Double(uprightHeight) * aspect))
    let cropHeight = min(uprightHeight, rounded(Double(uprightWidth) / aspect))
    guard cropWidth >= width && cropHeight >= height else {
        let size = "\(uprightWidth)x\(uprightHeight)"
        throw Fault("the camera's \(size) frames are too small for \(width)x\(height)")
    }
    let rows = spans(cropHeight, height, offset: (uprightHeight - cropHeight) / 2)
    let columns = spans(cropWidth, width, offset: (uprightWidth - cropWidth) / 2)
    let (start, right, down) = try steps(frame)
    let red = frame.order == .rgba ? 0 : 2

    var result = [UInt8](repeating: 0, count: 3 * height * width)
    frame.bytes.withUnsafeBufferPointer { bytes in
        var target = 0
        for row in rows {
            for column in columns {
                var sums = (0.0, 0.0, 0.0)
                for (i, rowShare) in row.weights.enumerated() {
                    var source = start + (row.first + i) * down + column.first * right
                    for columnShare in column.weights {
                        let share = rowShare * columnShare
                        sums.0 += share * Double(bytes[source + red])
                        sums.1 += share * Double(bytes[source + 1])
                        sums.2 += share * Double(bytes[source + 2 - red])
                        source += right
                    }
                }
                result[target] = UInt8(rounded(sums.0))
                result[target + 1] = UInt8(rounded(sums.1))
                result[target + 2] = UInt8(rounded(sums.2))
                target += 3
            }
        }
    }
    return result
}

/// The network's input [S, 3, H, W] in [0, 1] of S images as `fitFrame` makes them.
public func planar(_ images: [[UInt8]]) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(images.reduce(0) { $0 + $1.count })
    for image in images {
        for channel in 0..<3 {
            for place in stride(from: channel, to: image.count, by: 3) {
                result.append(Float(image[place]) / 255)
            }
        }
    }
    return result
}

/// Where upright pixel (x, y) is: start + x * right + y * down. Nothing is turned in memory.
private func steps(_ frame: Frame) throws -> (start: Int, right: Int, down: Int) {
    let lastRow = (frame.height - 1) * frame.rowStride
    let lastColumn = (frame.width - 1) * 4
    switch frame.rotation {
    case 0: return (0, 4, frame.rowStride)
    case 90: return (lastRow, -frame.rowStride, 4)
    case 180: return (lastRow + lastColumn, -4, -frame.rowStride)
    case 270: return (lastColumn, frame.rowStride, -4)
    default: throw Fault("the camera's frames are turned by \(frame.rotation) degrees")
    }
}

/// The source pixels that one target pixel covers, from `first` on, and the share of each.
private struct Span {
    let first: Int
    let weights: [Double]
}

private func spans(_ source: Int, _ target: Int, offset: Int) -> [Span] {
    let scale = Double(source) / Double(target)
    return (0..<target).map { i in
        let begin = Double(i) * scale
        let end = min(Double(source), Double(i + 1) * scale)
        let first = Int(begin)
        let last = min(source, Int(end.rounded(.up)))
        let weights = (first..<last).map { pixel in
            (min(end, Double(pixel) + 1) - max(begin, Double(pixel))) / scale
        }
        return Span(first: offset + first, weights: weights)
    }
}

/// To the nearest whole number, halves to even, as numpy and Python round.
func rounded(_ value: Double) -> Int {
    Int(value.rounded(.toNearestOrEven))
}
