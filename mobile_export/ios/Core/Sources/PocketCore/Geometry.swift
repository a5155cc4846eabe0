import Foundation

/// A camera in OpenCV's axes (x right, y down, z forward).
public struct Camera {
    /// Camera-from-world [R|t], three rows of four. The world is the first view's camera.
    public let extrinsic: [Double]
    /// Focal lengths and principal point in pixels of the network's image.
    public let focalX: Double
    public let focalY: Double
    public let centreX: Double
    public let centreY: Double

    public init(
        extrinsic: [Double], focalX: Double, focalY: Double, centreX: Double, centreY: Double
    ) {
        self.extrinsic = extrinsic
        self.focalX = focalX
        self.focalY = focalY
        self.centreX = centreX
        self.centreY = centreY
    }
}

// A field of view outside of these (radians) has no finite, positive focal length.
private let minFov = 0.02
private let maxFov = Double.pi - 0.02

/// Cameras of the pose code [S, 9]: translation, quaternion (scalar last, of any length but zero),
/// vertical and horizontal field of view.
public func decodePoses(_ code: [Float], height: Int, width: Int) -> [Camera] {
    stride(from: 0, to: code.count, by: 9).map { start in
        let value = code[start..<start + 9].map(Double.init)
        // Small steps: the compiler gives up on long formulas.
        let (x, y, z, w) = (value[3], value[4], value[5], value[6])
        let square: Double = x * x + y * y + z * z + w * w
        let s: Double = 2 / max(square, Double.leastNonzeroMagnitude)
        let (sx, sy, sz) = (s * x, s * y, s * z)
        let (xx, xy, xz, xw) = (sx * x, sx * y, sx * z, sx * w)
        let (yy, yz, yw) = (sy * y, sy * z, sy * w)
        let (zz, zw) = (sz * z, sz * w)
        let first: [Double] = [1 - yy - zz, xy - zw, xz + yw, value[0]]
        let second: [Double] = [xy + zw, 1 - xx - zz, yz - xw, value[1]]
        let third: [Double] = [xz - yw, yz + xw, 1 - xx - yy, value[2]]
        let fovY = min(max(value[7], minFov), maxFov)
        let fovX = min(max(value[8], minFov), maxFov)
        return Camera(
            extrinsic: first + second + third,
            focalX: Double(width) / 2 / tan(fovX / 2),
            focalY: Double(height) / 2 / tan(fovY / 2),
            centreX: Double(width) / 2,
            centreY: Double(height) / 2
        )
    }
}

/// World points, three numbers a pixel, of a view's z-depth [H, W]; pixel centres at integers.
public func unproject(_ depth: [Float], width: Int, camera: Camera) -> [Float] {
    let e = camera.extrinsic
    var points = [Float](repeating: 0, count: 3 * depth.count)
    for i in depth.indices {
        let z = Double(depth[i])
        // In the camera's frame, less the translation: the inverse is the transposed rotation.
        let a = (Double(i % width) - camera.centreX) / camera.focalX * z - e[3]
        let b = (Double(i / width) - camera.centreY) / camera.focalY * z - e[7]
        let c = z - e[11]
        points[3 * i] = Float(e[0] * a + e[4] * b + e[8] * c)
        points[3 * i + 1] = Float(e[1] * a + e[5] * b + e[9] * c)
        points[3 * i + 2] = Float(e[2] * a + e[6] * b + e[10] * c)
    }
    return points
}
