package org.pocketvggt.core

import kotlin.math.tan

/**
 * A camera in OpenCV's axes (x right, y down, z forward).
 *
 * [extrinsic] is camera-from-world [R|t], three rows of four; focal lengths and the principal point
 * are in pixels of the network's image. The world is the first view's camera.
 */
class Camera(
    val extrinsic: DoubleArray,
    val focalX: Double,
    val focalY: Double,
    val centreX: Double,
    val centreY: Double,
)

// A field of view outside of these (radians) has no finite, positive focal length.
private const val MIN_FOV = 0.02
private const val MAX_FOV = Math.PI - 0.02

/**
 * Cameras of the pose code [S, 9]: translation, quaternion (scalar last, of any length but zero),
 * vertical and horizontal field of view.
 */
fun decodePoses(code: FloatArray, height: Int, width: Int): List<Camera> =
    List(code.size / 9) { view ->
        val value = DoubleArray(9) { code[9 * view + it].toDouble() }
        val (x, y, z) = value.slice(3..5)
        val w = value[6]
        val s = 2.0 / maxOf(x * x + y * y + z * z + w * w, Double.MIN_VALUE)
        Camera(
            extrinsic = doubleArrayOf(
                1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w), value[0],
                s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w), value[1],
                s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y), value[2],
            ),
            focalX = width / 2.0 / tan(value[8].coerceIn(MIN_FOV, MAX_FOV) / 2),
            focalY = height / 2.0 / tan(value[7].coerceIn(MIN_FOV, MAX_FOV) / 2),
            centreX = width / 2.0,
            centreY = height / 2.0,
        )
    }

/** World points, three numbers a pixel, of a view's z-depth [H, W]; pixel centres at integers. */
fun unproject(depth: FloatArray, width: Int, camera: Camera): FloatArray {
    val e = camera.extrinsic
    val points = FloatArray(3 * depth.size)
    for (i in depth.indices) {
        val z = depth[i].toDouble()
        // In the camera's frame, less the translation: the inverse is the transposed rotation.
        val a = (i % width - camera.centreX) / camera.focalX * z - e[3]
        val b = (i / width - camera.centreY) / camera.focalY * z - e[7]
        val c = z - e[11]
        points[3 * i] = (e[0] * a + e[4] * b + e[8] * c).toFloat()
        points[3 * i + 1] = (e[1] * a + e[5] * b + e[9] * c).toFloat()
        points[3 * i + 2] = (e[2] * a + e[6] * b + e[10] * c).toFloat()
    }
    return points
}
