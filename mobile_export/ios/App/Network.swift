import ExecuTorch
import Foundation
import PocketCore

/// A bundle in the app: its manifest and where its program is.
struct Model {
    let manifest: Manifest
    let program: String

    /// Whether the app was built with a bundle of this name: "main", or "compare" for the switch.
    static func exists(_ role: String) -> Bool {
        folder(role) != nil
    }

    /// Open a bundle; throws a `Fault`.
    init(_ role: String) throws {
        guard let folder = Model.folder(role),
            let data = try? Data(contentsOf: folder.appendingPathComponent("manifest.json"))
        else {
            throw Fault("this app was built without a model: write the project again")
        }
        manifest = try Manifest(data)
        program = folder.appendingPathComponent("model.pte").path
    }

    private static func folder(_ role: String) -> URL? {
        Bundle.main.url(forResource: role, withExtension: nil, subdirectory: "Bundles")
    }
}

/// The program of a model, with one method loaded at a time. For one thread only.
final class Network {
    let model: Model
    /// Milliseconds that loading the present method took.
    private(set) var loadMillis = 0.0
    /// Milliseconds that the last run took, without loading.
    private(set) var runMillis = 0.0
    private var loaded: (name: String, module: Module)?

    init(_ model: Model) {
        self.model = model
    }

    /// What the network says of these images, in the first one's frame.
    func run(_ images: [[UInt8]]) throws -> Prediction {
        let manifest = model.manifest
        guard let name = manifest.methods[images.count] else {
            throw Fault("the model takes \(manifest.viewCounts) views, not \(images.count)")
        }
        let module = try load(name)
        let shape = [images.count, 3, manifest.height, manifest.width]
        let inputs = [Tensor<Float>(planar(images), shape: shape)]
        let start = Date()
        let outputs: [Value] = try module.execute(name, inputs)
        runMillis = Date().timeIntervalSince(start) * 1000
        guard outputs.count == manifest.outputs.count else {
            throw Fault("the runtime could not run \(name)")
        }
        func values(_ output: String) throws -> [Float] {
            let tensor: Tensor<Float>? = outputs[manifest.place(of: output)].tensor()
            guard let tensor else { throw Fault("\(name): \(output) is no float tensor") }
            return tensor.scalars()
        }
        return Prediction(
            height: manifest.height,
            width: manifest.width,
            cameras: decodePoses(
                try values("pose_enc"), height: manifest.height, width: manifest.width
            ),
            depth: try values("depth"),
            confidence: try values("depth_conf")
        )
    }

    private func load(_ name: String) throws -> Module {
        if let loaded, loaded.name == name { return loaded.module }
        // Packed weights belong to a method: let go of the last one's first.
        loaded = nil
        let start = Date()
        // Without a mode the whole file would be copied into memory.
        let module = Module(filePath: model.program, loadMode: .mmap)
        try module.load(name)
        loadMillis = Date().timeIntervalSince(start) * 1000
        loaded = (name, module)
        return module
    }
}
