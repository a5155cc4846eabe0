import XCTest

@testable import PocketCore

/// Pre- and postprocessing against what the exporter's Python code computes.
final class GoldenTests: XCTestCase {
    private struct Golden: Decodable {
        struct Preprocess: Decodable {
            let width: Int
            let height: Int
            let row_stride: Int
            let rotation: Int
            let bytes: [UInt8]
            let target_height: Int
            let target_width: Int
            let rgb: [UInt8]

            func frame(_ order: Frame.Order) -> Frame {
                var bytes = bytes
                if order == .bgra {
                    for row in 0..<height {
                        for column in 0..<width {
                            let place = row * row_stride + 4 * column
                            bytes.swapAt(place, place + 2)
                        }
                    }
                }
                return Frame(
                    bytes: bytes, width: width, height: height, rowStride: row_stride,
                    rotation: rotation, order: order
                )
            }
        }

        struct Planar: Decodable {
            let images: [[UInt8]]
            let expected: [Float]
        }

        struct Poses: Decodable {
            let height: Int
            let width: Int
            let pose_enc: [Float]
            let extrinsic: [Double]
            let intrinsic: [Double]
        }

        struct Points: Decodable {
            let height: Int
            let width: Int
            let pose_enc: [Float]
            let depth: [Float]
            let points: [Float]
        }

        struct Confidence: Decodable {
            let values: [Float]
            let quantiles: [Double]
            let thresholds: [Float]
            let kept: [Int]
        }

        struct Edges: Decodable {
            let width: Int
            let depth: [Float]
            let edges: [Bool]
        }

        struct Colors: Decodable {
            let range_of: [Float]
            let near: Double
            let far: Double
            let depth: [Float]
            let rgb: [UInt32]
        }

        let preprocess: [Preprocess]
        let planar: Planar
        let poses: Poses
        let points: Points
        let confidence: Confidence
        let edges: Edges
        let colors: Colors
    }

    private func golden() throws -> Golden {
        let url = try XCTUnwrap(Bundle.module.url(forResource: "golden", withExtension: "json"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    func testFramesBecomeTheNetworksImages() throws {
        for (i, example) in try golden().preprocess.enumerated() {
            for order in [Frame.Order.rgba, .bgra] {
                let image = try fitFrame(
                    example.frame(order), height: example.target_height, width: example.target_width
                )
                XCTAssertEqual(image, example.rgb, "case \(i), \(order)")
            }
        }
    }

    func testTooSmallAFrameIsRefused() throws {
        let frame = try golden().preprocess[0].frame(.rgba)
        XCTAssertThrowsError(try fitFrame(frame, height: 28, width: 28))
    }

    func testImagesBecomePlanes() throws {
        let example = try golden().planar
        assertClose(planar(example.images), example.expected, 1e-7)
    }

    func testPoseCodesBecomeCameras() throws {
        let example = try golden().poses
        let cameras = decodePoses(example.pose_enc, height: example.height, width: example.width)
        XCTAssertEqual(12 * cameras.count, example.extrinsic.count)
        assertClose(cameras.flatMap(\.extrinsic), example.extrinsic, 1e-6)
        let intrinsic = cameras.flatMap { [$0.focalX, $0.focalY, $0.centreX, $0.centreY] }
        for (found, expected) in zip(intrinsic, example.intrinsic) {
            XCTAssertEqual(found, expected, accuracy: 1e-5 * max(1, expected))
        }
    }

    func testDepthBecomesWorldPoints() throws {
        let example = try golden().points
        let camera = decodePoses(example.pose_enc, height: example.height, width: example.width)[0]
        let points = unproject(example.depth, width: example.width, camera: camera)
        assertClose(points, example.points, 1e-5)
    }

    func testTheLeastConfidentAreLeftOut() throws {
        let example = try golden().confidence
        for (i, quantile) in example.quantiles.enumerated() {
            let threshold = confidenceThreshold(example.values, quantile: quantile)
            XCTAssertEqual(threshold, example.thresholds[i])
            XCTAssertEqual(example.values.filter { $0 >= threshold }.count, example.kept[i])
        }
    }

    func testEdgesOfDepthAreFound() throws {
        let example = try golden().edges
        XCTAssertEqual(depthEdges(example.depth, width: example.width), example.edges)
    }

    func testDepthBecomesColours() throws {
        let example = try golden().colors
        let range = depthRange(example.range_of)
        XCTAssertEqual(range.near, example.near, accuracy: 1e-6)
        XCTAssertEqual(range.far, example.far, accuracy: 1e-6)
        let found = colorDepth(example.depth, near: example.near, far: example.far)
        let expected = found.indices.map { i in
            example.rgb[3 * i..<3 * i + 3].reduce(UInt32(255)) { $0 << 8 | $1 }
        }
        XCTAssertEqual(found, expected)
    }

    private func assertClose<Number: FloatingPoint>(
        _ found: [Number], _ expected: [Number], _ accuracy: Number
    ) {
        XCTAssertEqual(found.count, expected.count)
        for (a, b) in zip(found, expected) {
            XCTAssertEqual(a, b, accuracy: accuracy)
        }
    }
}
