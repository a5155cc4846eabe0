import Combine
import CoreGraphics
import Foundation
import PocketCore

/// Milliseconds: loading the method; for each view, preprocessing, the network, colours and points.
struct Timing: CustomStringConvertible {
    let precision: String
    let views: Int
    let load: Double
    /// Nil for a run without a new view.
    let preprocess: Double?
    let inference: Double
    let draw: Double

    var description: String {
        func text(_ millis: Double) -> String { String(format: "%.1f", millis) }
        return "\(precision), \(views) views, ms a view: preprocess \(preprocess.map(text) ?? "-"), "
            + "inference \(text(inference)), draw \(text(draw)); load \(text(load)) ms"
    }
}

/// A sliding window of keyframes and the network that sees them.
///
/// What is published changes on the main thread. Frames come in on the camera's thread; the network
/// runs on a queue of its own.
final class Session: ObservableObject {
    @Published private(set) var status = ""
    @Published private(set) var timing: Timing?
    @Published private(set) var depth: CGImage?
    @Published private(set) var cloud = Cloud()
    @Published var automatic = false { didSet { update { $0.automatic = automatic } } }
    @Published var views = 0 { didSet { select(reload: false) } }
    @Published var useOther = false { didSet { select(reload: true) } }

    /// Numbers of views to choose from: those that all bundles take, or the switch would change two
    /// things at once.
    private(set) var viewCounts: [Int] = []
    private var models: [Model] = []

    /// What the camera's thread has to know, under a lock.
    private struct Shared {
        var automatic = false
        var asked = false
        var pending = 0
        var gate = KeyframeGate()
    }

    private let lock = NSLock()
    private var shared = Shared()
    private let worker = DispatchQueue(label: "network", qos: .userInitiated)

    // Of the worker only: the newest keyframes, how many the network sees, and the network.
    private var window: [[UInt8]] = []
    private var count = 0
    private var network: Network?

    init() {
        do {
            models = [try Model("main")]
            if Model.exists("compare") { models.append(try Model("compare")) }
        } catch {
            models = []
            status = error.localizedDescription
            return
        }
        let counts = models.map { Set($0.manifest.viewCounts) }
        viewCounts = counts.reduce(counts[0]) { $0.intersection($1) }.sorted()
        views = viewCounts.last { $0 <= 4 } ?? viewCounts[0]
        select(reload: true)
    }

    /// Whether there is a model.
    var isUsable: Bool { !models.isEmpty }

    /// How the weights of the two models are kept, if there are two.
    var precisions: (main: String, other: String)? {
        guard models.count == 2 else { return nil }
        return (models[0].manifest.precision, models[1].manifest.precision)
    }

    /// Take the next frame, whatever it shows.
    func addView() {
        update { $0.asked = true }
    }

    /// Forget all views.
    func reset() {
        depth = nil
        cloud = Cloud()
        update { $0.gate.reset() }
        let count = views
        submit { session in
            session.window = []
            session.tell("0 of \(count) views")
        }
    }

    /// Whether a frame at this time (seconds) is wanted: copying it is not free.
    func wants(_ time: Double) -> Bool {
        lock.withLock {
            shared.pending == 0 && (shared.asked || shared.automatic && shared.gate.isDue(time))
        }
    }

    /// Look at a frame that was wanted, and take it if it was asked for or is new enough.
    func offer(_ frame: Frame, at time: Double) {
        let manifest = models[0].manifest
        let start = Date()
        let image: [UInt8]
        do {
            image = try fitFrame(frame, height: manifest.height, width: manifest.width)
        } catch {
            update { $0.asked = false }
            tell(error.localizedDescription)
            return
        }
        let millis = Date().timeIntervalSince(start) * 1000
        let taken = lock.withLock { () -> Bool in
            guard shared.gate.accepts(image, at: time) || shared.asked else { return false }
            shared.gate.take(image)
            shared.asked = false
            return true
        }
        guard taken else { return }
        submit { session in
            session.window.append(image)
            try session.run(preprocess: millis)
        }
    }

    /// Show one line. Main thread.
    func say(_ fault: Fault) {
        status = fault.localizedDescription
    }

    /// Use the chosen bundle and number of views; what was seen stays.
    private func select(reload: Bool) {
        guard isUsable else { return }
        let model = models[useOther ? models.count - 1 : 0]
        let count = views
        submit { session in
            session.count = count
            if reload { session.network = Network(model) }
            try session.run(preprocess: nil)
        }
    }

    private func run(preprocess: Double?) throws {
        window = Array(window.suffix(count))
        tell("\(window.count) of \(count) views")
        guard window.count == count, let network else { return }
        let prediction = try network.run(window)
        let start = Date()
        let newest = prediction.depth(of: count - 1)
        let (near, far) = depthRange(newest)
        let colors = colorDepth(newest, near: near, far: far)
        let picture = image(colors, width: prediction.width)
        let cloud = buildCloud(window, prediction)
        let draw = Date().timeIntervalSince(start) * 1000
        let timing = Timing(
            precision: network.model.manifest.precision,
            views: count,
            load: network.loadMillis,
            preprocess: preprocess,
            inference: network.runMillis / Double(count),
            draw: draw / Double(count)
        )
        tell("\(cloud.count) points of \(count) views")
        DispatchQueue.main.async {
            self.depth = picture
            self.cloud = cloud
            self.timing = timing
        }
    }

    /// Run a task on the worker. A fault of the model or the runtime is a line, never a crash.
    private func submit(_ task: @escaping (Session) throws -> Void) {
        update { $0.pending += 1 }
        worker.async {
            do {
                try task(self)
            } catch {
                self.tell(error.localizedDescription)
            }
            self.update { $0.pending -= 1 }
        }
    }

    private func update(_ change: (inout Shared) -> Void) {
        lock.withLock { change(&shared) }
    }

    private func tell(_ text: String) {
        DispatchQueue.main.async { self.status = text }
    }
}

/// A picture of colours 0xAARRGGBB, or nil if there is no memory for it.
private func image(_ colors: [UInt32], width: Int) -> CGImage? {
    let data = colors.withUnsafeBytes { Data($0) }
    guard let provider = CGDataProvider(data: data as CFData) else { return nil }
    let alpha = CGImageAlphaInfo.noneSkipFirst.rawValue
    return CGImage(
        width: width,
        height: colors.count / width,
        bitsPerComponent: 8,
        bitsPerPixel: 32,
        bytesPerRow: 4 * width,
        space: CGColorSpaceCreateDeviceRGB(),
        bitmapInfo: CGBitmapInfo(rawValue: CGBitmapInfo.byteOrder32Little.rawValue | alpha),
        provider: provider,
        decode: nil,
        shouldInterpolate: false,
        intent: .defaultIntent
    )
}
