import PocketCore
import SceneKit
import SwiftUI

/// Draws a cloud of coloured points; drag to turn it, pinch to come nearer.
struct CloudView: UIViewRepresentable {
    let cloud: Cloud

    func makeCoordinator() -> Coordinator {
        Coordinator()
    }

    func makeUIView(context: Context) -> SCNView {
        let view = SCNView()
        view.scene = context.coordinator.scene
        view.pointOfView = context.coordinator.camera
        view.backgroundColor = .black
        view.allowsCameraControl = true
        view.defaultCameraController.interactionMode = .orbitTurntable
        return view
    }

    func updateUIView(_ view: SCNView, context: Context) {
        let coordinator = context.coordinator
        // The screen is redrawn for every line of text, the points only when there are new ones.
        guard cloud.points != coordinator.shown else { return }
        let isFirst = coordinator.shown.isEmpty
        coordinator.shown = cloud.points
        coordinator.points.geometry = cloud.count > 0 ? geometry() : nil
        if isFirst && cloud.count > 0 {
            // Look from the first camera at the middle of the cloud.
            let depths = stride(from: 2, to: cloud.points.count, by: 3).map { cloud.points[$0] }
            coordinator.camera.transform = SCNMatrix4Identity
            view.pointOfView = coordinator.camera
            view.defaultCameraController.target =
                SCNVector3(0, 0, -depths.sorted()[depths.count / 2])
        }
    }

    final class Coordinator {
        let scene = SCNScene()
        let camera = SCNNode()
        let points = SCNNode()
        var shown: [Float] = []

        init() {
            let lens = SCNCamera()
            lens.fieldOfView = 60
            lens.automaticallyAdjustsZRange = true
            camera.camera = lens
            // SceneKit's y and z point the other way than OpenCV's.
            points.scale = SCNVector3(1, -1, -1)
            scene.rootNode.addChildNode(camera)
            scene.rootNode.addChildNode(points)
        }
    }

    private func geometry() -> SCNGeometry {
        // SceneKit mixes colours in linear light: undo the camera's gamma.
        let linear = (0..<256).map { pow(Float($0) / 255, 2.2) }
        let colors = cloud.colors.map { linear[Int($0)] }
        let element = SCNGeometryElement(
            indices: (0..<cloud.count).map { Int32($0) }, primitiveType: .point
        )
        element.pointSize = 0.01
        element.minimumPointScreenSpaceRadius = 1
        element.maximumPointScreenSpaceRadius = 4
        let geometry = SCNGeometry(
            sources: [source(cloud.points, .vertex), source(colors, .color)], elements: [element]
        )
        let material = SCNMaterial()
        material.lightingModel = .constant
        geometry.materials = [material]
        return geometry
    }

    private func source(
        _ values: [Float], _ semantic: SCNGeometrySource.Semantic
    ) -> SCNGeometrySource {
        SCNGeometrySource(
            data: values.withUnsafeBytes { Data($0) },
            semantic: semantic,
            vectorCount: values.count / 3,
            usesFloatComponents: true,
            componentsPerVector: 3,
            bytesPerComponent: 4,
            dataOffset: 0,
            dataStride: 12
        )
    }
}
