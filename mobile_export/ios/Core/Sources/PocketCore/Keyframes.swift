/// Decides which frames become keyframes: enough time has passed and the picture has changed.
public struct KeyframeGate {
    private let seconds: Double
    private let change: Double
    private var lastLook = -Double.infinity
    private var lastTaken: [UInt8]?

    /// seconds between two looks at the camera; change in grey levels, the mean over the picture.
    public init(seconds: Double = 0.5, change: Double = 10) {
        self.seconds = seconds
        self.change = change
    }

    /// Whether the frame at this time is worth preprocessing at all.
    public func isDue(_ time: Double) -> Bool {
        time - lastLook >= seconds
    }

    /// Whether this image, looked at now, has changed enough since the last that was taken.
    public mutating func accepts(_ image: [UInt8], at time: Double) -> Bool {
        lastLook = time
        guard let last = lastTaken else { return true }
        var sum = 0
        // Green stands for grey.
        for place in stride(from: 1, to: image.count, by: 3) {
            sum += abs(Int(image[place]) - Int(last[place]))
        }
        return Double(sum) * 3 / Double(image.count) >= change
    }

    /// What the next images are compared with.
    public mutating func take(_ image: [UInt8]) {
        lastTaken = image
    }

    /// Forget everything: the next image is accepted.
    public mutating func reset() {
        lastLook = -Double.infinity
        lastTaken = nil
    }
}
