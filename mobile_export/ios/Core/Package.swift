// swift-tools-version:5.9
import PackageDescription

// Everything that needs no phone: `swift test` here runs its tests on any machine with Swift.
let package = Package(
    name: "Core",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "PocketCore", targets: ["PocketCore"])],
    targets: [
        .target(name: "PocketCore"),
        .testTarget(
            name: "PocketCoreTests",
            dependencies: ["PocketCore"],
            resources: [.copy("golden.json")]
        ),
    ]
)
