import AVFoundation
import PocketCore
import SwiftUI

/// The back camera: a preview, and its frames for a session on a queue of their own.
final class CameraFrames: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    let preview: AVCaptureVideoPreviewLayer
    private let session: Session
    private let capture = AVCaptureSession()
    private let queue = DispatchQueue(label: "camera")
    private let turns: AVCaptureDevice.RotationCoordinator
    private var observers: [NSKeyValueObservation] = []

    // How far frames have to be turned to be upright.
    private let lock = NSLock()
    private var rotation = 0

    /// Ask for permission and open the camera; the answer comes on the main thread.
    static func open(
        for session: Session, then done: @escaping (Result<CameraFrames, Fault>) -> Void
    ) {
        AVCaptureDevice.requestAccess(for: .video) { granted in
            DispatchQueue.main.async {
                guard granted else {
                    done(.failure(Fault("the camera may not be used: allow it in Settings")))
                    return
                }
                do {
                    done(.success(try CameraFrames(session)))
                } catch let fault as Fault {
                    done(.failure(fault))
                } catch {
                    done(.failure(Fault("the camera: \(error.localizedDescription)")))
                }
            }
        }
    }

    private init(_ session: Session) throws {
        let back = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back)
        guard let device = back else { throw Fault("this device has no back camera") }
        self.session = session
        preview = AVCaptureVideoPreviewLayer(session: capture)
        preview.videoGravity = .resizeAspectFill
        turns = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: preview)
        super.init()

        let output = AVCaptureVideoDataOutput()
        output.alwaysDiscardsLateVideoFrames = true
        output.videoSettings = [
            kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA
        ]
        output.setSampleBufferDelegate(self, queue: queue)
        let input = try AVCaptureDeviceInput(device: device)
        capture.beginConfiguration()
        // Large enough for every network's image, upright or not.
        capture.sessionPreset = .hd1280x720
        guard capture.canAddInput(input), capture.canAddOutput(output) else {
            capture.commitConfiguration()
            throw Fault("the camera gives no frames to this app")
        }
        capture.addInput(input)
        capture.addOutput(output)
        // Frames come as the sensor has them: preprocessing turns them, at no cost.
        output.connection(with: .video)?.videoRotationAngle = 0
        capture.commitConfiguration()
        observe()
        queue.async { self.capture.startRunning() }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        let time = CMSampleBufferGetPresentationTimeStamp(buffer).seconds
        guard session.wants(time), let pixels = CMSampleBufferGetImageBuffer(buffer) else { return }
        CVPixelBufferLockBaseAddress(pixels, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(pixels, .readOnly) }
        guard let start = CVPixelBufferGetBaseAddress(pixels) else { return }
        let height = CVPixelBufferGetHeight(pixels)
        let rowStride = CVPixelBufferGetBytesPerRow(pixels)
        let bytes = [UInt8](UnsafeRawBufferPointer(start: start, count: height * rowStride))
        let frame = Frame(
            bytes: bytes, width: CVPixelBufferGetWidth(pixels), height: height,
            rowStride: rowStride, rotation: lock.withLock { rotation }, order: .bgra
        )
        session.offer(frame, at: time)
    }

    private func turnPreview(by angle: CGFloat) {
        guard let connection = preview.connection,
            connection.isVideoRotationAngleSupported(angle)
        else { return }
        connection.videoRotationAngle = angle
    }

    /// Follow how the device is held.
    private func observe() {
        let options: NSKeyValueObservingOptions = [.initial, .new]
        observers = [
            turns.observe(\.videoRotationAngleForHorizonLevelPreview, options: options) {
                [weak self] turns, _ in
                let angle = turns.videoRotationAngleForHorizonLevelPreview
                DispatchQueue.main.async { self?.turnPreview(by: angle) }
            },
            turns.observe(\.videoRotationAngleForHorizonLevelCapture, options: options) {
                [weak self] turns, _ in
                let angle = Int(turns.videoRotationAngleForHorizonLevelCapture.rounded())
                guard let self else { return }
                self.lock.withLock { self.rotation = angle }
            },
        ]
    }
}

/// What the camera sees.
struct CameraPreview: UIViewRepresentable {
    let camera: CameraFrames

    func makeUIView(context: Context) -> PreviewView {
        PreviewView(camera.preview)
    }

    func updateUIView(_ view: PreviewView, context: Context) {}

    final class PreviewView: UIView {
        private let preview: CALayer

        init(_ preview: CALayer) {
            self.preview = preview
            super.init(frame: .zero)
            layer.addSublayer(preview)
        }

        required init?(coder: NSCoder) {
            fatalError("made in code only")
        }

        override func layoutSubviews() {
            super.layoutSubviews()
            preview.frame = bounds
        }
    }
}
