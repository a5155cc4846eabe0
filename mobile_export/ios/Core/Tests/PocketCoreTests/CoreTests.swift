import XCTest

@testable import PocketCore

/// What no golden vector covers.
final class CoreTests: XCTestCase {
    func testTheManifestOfThisProjectIsRead() throws {
        let project = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = project.appendingPathComponent("Bundles/main/manifest.json")
        let manifest = try Manifest(Data(contentsOf: file))
        XCTAssertGreaterThan(manifest.height, 0)
        XCTAssertGreaterThan(manifest.width, 0)
        XCTAssertFalse(manifest.viewCounts.isEmpty)
        XCTAssertEqual(manifest.outputs[manifest.place(of: "depth")], "depth")
    }

    func testAnotherManifestIsRefusedInOneLine() {
        for text in ["", "{}", #"{"format": "pocket-vggt-bundle", "format_version": 2}"#] {
            XCTAssertThrowsError(try Manifest(Data(text.utf8))) { error in
                XCTAssertTrue(error is Fault)
                XCTAssertFalse(error.localizedDescription.isEmpty)
            }
        }
    }

    func testKeyframesNeedTimeAndChange() {
        var gate = KeyframeGate(seconds: 1, change: 10)
        let dark = [UInt8](repeating: 0, count: 12)
        let bright = [UInt8](repeating: 100, count: 12)
        XCTAssertTrue(gate.isDue(0))
        XCTAssertTrue(gate.accepts(dark, at: 0))
        gate.take(dark)
        XCTAssertFalse(gate.isDue(0.5))
        XCTAssertTrue(gate.isDue(1))
        XCTAssertFalse(gate.accepts(dark, at: 1))
        XCTAssertTrue(gate.accepts(bright, at: 2))
        gate.reset()
        XCTAssertTrue(gate.accepts(dark, at: 2.1))
    }

    func testCloudsLeaveOutEdgesAndDoubt() {
        let camera = Camera(
            extrinsic: (0..<12).map { $0 % 5 == 0 ? 1 : 0 },
            focalX: 4, focalY: 4, centreX: 2, centreY: 2
        )
        var depth = [Float](repeating: 2, count: 16)
        depth[15] = 9
        let prediction = Prediction(
            height: 4, width: 4, cameras: [camera], depth: depth,
            confidence: (0..<16).map { Float($0) + 1 }
        )
        let image = (0..<48).map { UInt8($0) }
        let cloud = buildCloud([image], prediction, quantile: 0)
        // The last pixel and its three neighbours are an edge.
        XCTAssertEqual(cloud.count, 12)
        XCTAssertEqual(cloud.colors.count, 36)
        XCTAssertEqual(cloud.points[0], -1)
        let half = buildCloud([image], prediction, quantile: 0.5)
        XCTAssertGreaterThan(half.count, 0)
        XCTAssertLessThan(half.count, cloud.count)
    }
}
