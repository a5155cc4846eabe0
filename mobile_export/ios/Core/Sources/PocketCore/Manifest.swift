import Foundation

/// What the app has to know of a bundle.
public struct Manifest {
    public let name: String
    public let precision: String
    public let height: Int
    public let width: Int
    /// A number of views -> the program's method for it.
    public let methods: [Int: String]
    /// Names of what a method returns, in order.
    public let outputs: [String]

    /// Numbers of views that the program takes, ascending.
    public var viewCounts: [Int] { methods.keys.sorted() }

    /// Read manifest.json; throws a `Fault` if it is not one of a usable bundle.
    public init(_ data: Data) throws {
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: data)
        } catch {
            throw Fault("the bundle's manifest is damaged")
        }
        guard file.format == "pocket-vggt-bundle" && file.format_version == 1 else {
            throw Fault("the bundle's manifest is of another format or version")
        }
        let missing = ["pose_enc", "depth", "depth_conf"].filter { !file.outputs.contains($0) }
        guard missing.isEmpty else {
            throw Fault("the bundle has no output \(missing.joined(separator: ", "))")
        }
        var methods: [Int: String] = [:]
        for (views, name) in file.methods {
            guard let count = Int(views), count > 0 else {
                throw Fault("the bundle's manifest names \(views) views")
            }
            methods[count] = name
        }
        guard !methods.isEmpty else { throw Fault("the bundle has no method") }
        self.name = file.model.name
        self.precision = file.quantization.name
        self.height = file.input.height
        self.width = file.input.width
        self.methods = methods
        self.outputs = file.outputs
    }

    /// Where an output is among those of a method.
    public func place(of output: String) -> Int {
        outputs.firstIndex(of: output)!
    }

    // The parts of manifest.json that are read, under its own names.
    private struct File: Decodable {
        struct Named: Decodable {
            let name: String
        }

        struct Size: Decodable {
            let height: Int
            let width: Int
        }

        let format: String
        let format_version: Int
        let model: Named
        let quantization: Named
        let input: Size
        let methods: [String: String]
        let outputs: [String]
    }
}
