package org.pocketvggt.core

import kotlin.math.cos
import kotlin.math.sin
import kotlin.math.tan

/** A viewpoint that turns about a point of the cloud; angles in radians. */
class Orbit {
    private var yaw = 0.0
    private var pitch = 0.0
    private var distance = 1.0
    private var target = doubleArrayOf(0.0, 0.0, 1.0)

    /** Look from the first camera at the middle of this cloud. */
    fun lookAt(cloud: Cloud) {
        if (cloud.size == 0) return
        val depths = FloatArray(cloud.size) { cloud.points[3 * it + 2] }.apply { sort() }
        target = doubleArrayOf(0.0, 0.0, depths[cloud.size / 2].toDouble())
        distance = maxOf(target[2], 1e-3)
        yaw = 0.0
        pitch = 0.0
    }

    /** Turn by a drag over these fractions of the view. */
    fun turn(right: Double, down: Double) {
        yaw -= Math.PI * right
        pitch = (pitch + Math.PI * down).coerceIn(-1.5, 1.5)
    }

    /** Come nearer by this factor. */
    fun zoom(factor: Double) {
        distance = (distance / factor).coerceIn(1e-3, 1e4)
    }

    /**
     * Clip-from-world matrix for OpenGL, column by column, of a view of this aspect (width / height).
     *
     * The field of view of 60 degrees is the view's height.
     */
    fun matrix(aspect: Double): FloatArray {
        val near = distance / 100
        val far = distance * 100
        val focal = 1 / tan(Math.PI / 6)
        val (cy, sy) = Pair(cos(yaw), sin(yaw))
        val (cp, sp) = Pair(cos(pitch), sin(pitch))
        // Rows of the rotation into OpenGL's eye: y and z point the other way than OpenCV's.
        val rows = arrayOf(
            doubleArrayOf(cy, 0.0, sy),
            doubleArrayOf(-sp * sy, -cp, sp * cy),
            doubleArrayOf(cp * sy, -sp, -cp * cy),
        )
        val shift = DoubleArray(3) { r -> -(0..2).sumOf { rows[r][it] * target[it] } }
        shift[2] -= distance
        val result = FloatArray(16)
        for (column in 0..3) {
            val eye = DoubleArray(3) { if (column < 3) rows[it][column] else shift[it] }
            val one = if (column == 3) 1.0 else 0.0
            result[4 * column] = (focal / aspect * eye[0]).toFloat()
            result[4 * column + 1] = (focal * eye[1]).toFloat()
            result[4 * column + 2] =
                ((far + near) / (near - far) * eye[2] + 2 * far * near / (near - far) * one).toFloat()
            result[4 * column + 3] = (-eye[2]).toFloat()
        }
        return result
    }
}
