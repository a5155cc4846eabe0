import Foundation

/// What the network says of S views.
public struct Prediction {
    public let height: Int
    public let width: Int
    public let cameras: [Camera]
    /// z-depth and confidence, each [S, H, W].
    public let depth: [Float]
    public let confidence: [Float]

    public init(height: Int, width: Int, cameras: [Camera], depth: [Float], confidence: [Float]) {
        self.height = height
        self.width = width
        self.cameras = cameras
        self.depth = depth
        self.confidence = confidence
    }

    public func depth(of view: Int) -> [Float] {
        Array(depth[view * height * width..<(view + 1) * height * width])
    }

    public func confidence(of view: Int) -> [Float] {
        Array(confidence[view * height * width..<(view + 1) * height * width])
    }
}

/// Coloured points in the world's frame: three numbers and three bytes (RGB) each.
public struct Cloud {
    public var points: [Float] = []
    public var colors: [UInt8] = []

    public var count: Int { points.count / 3 }

    public init() {}
}

// Depth that changes by more than this between neighbours is the edge of something: the network
// bridges it with points that hang in the air.
private let edge = 0.08

/// The points of all views but the least confident share of each, and but edges of depth.
public func buildCloud(
    _ images: [[UInt8]], _ prediction: Prediction, quantile: Double = 0.3
) -> Cloud {
    var cloud = Cloud()
    for (view, image) in images.enumerated() {
        let depth = prediction.depth(of: view)
        let confidence = prediction.confidence(of: view)
        let threshold = confidenceThreshold(confidence, quantile: quantile)
        let edges = depthEdges(depth, width: prediction.width)
        let world = unproject(depth, width: prediction.width, camera: prediction.cameras[view])
        for i in depth.indices where confidence[i] >= threshold && !edges[i] && depth[i] > 0 {
            cloud.points += world[3 * i..<3 * i + 3]
            cloud.colors += image[3 * i..<3 * i + 3]
        }
    }
    return cloud
}

/// The least confidence that is kept when this share of the pixels is left out.
///
/// Places by confidence are counted in 256 steps, as in the desktop app's clouds.
public func confidenceThreshold(_ confidence: [Float], quantile: Double) -> Float {
    let last = max(1, confidence.count - 1)
    let step = Int((255 * quantile).rounded(.up))
    // The first place whose step, 255 place / last rounded down, is not below that one.
    let place = (step * last + 254) / 255
    return confidence.sorted()[min(place, confidence.count - 1)]
}

/// Pixels [H, W] with a jump of depth among their neighbours.
public func depthEdges(_ depth: [Float], width: Int) -> [Bool] {
    let height = depth.count / width
    return depth.indices.map { i in
        var near = Float.infinity
        var far: Float = 0
        for y in max(0, i / width - 1)...min(height - 1, i / width + 1) {
            for x in max(0, i % width - 1)...min(width - 1, i % width + 1) {
                near = min(near, depth[y * width + x])
                far = max(far, depth[y * width + x])
            }
        }
        return Double(far) > Double(near) * (1 + edge)
    }
}
