package org.pocketvggt.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What no golden vector covers. */
class CoreTest {
    @Test
    fun theManifestOfThisProjectIsRead() {
        val manifest = parseManifest(
            File("../app/src/main/assets/bundles/main/manifest.json").readText(),
        )
        assertTrue(manifest.height > 0 && manifest.width > 0 && manifest.bytes > 0)
        assertEquals(manifest.methods.keys.sorted(), manifest.methods.keys.toList())
        assertTrue(manifest.viewsUpTo(4) in manifest.methods)
        assertTrue(manifest.place("depth") >= 0)
    }

    @Test
    fun anotherManifestIsRefusedInOneLine() {
        for (text in listOf("", "{}", """{"format": "pocket-vggt-bundle", "format_version": 2}""")) {
            val error = assertThrows(IllegalArgumentException::class.java) { parseManifest(text) }
            assertFalse(error.message.isNullOrBlank())
        }
    }

    @Test
    fun keyframesNeedTimeAndChange() {
        val gate = KeyframeGate(seconds = 1.0, change = 10.0)
        val dark = ByteArray(12)
        val bright = ByteArray(12) { 100 }
        assertTrue(gate.isDue(0.0) && gate.accepts(dark, 0.0))
        gate.take(dark)
        assertFalse(gate.isDue(0.5))
        assertTrue(gate.isDue(1.0))
        assertFalse(gate.accepts(dark, 1.0))
        assertTrue(gate.accepts(bright, 2.0))
        gate.reset()
        assertTrue(gate.accepts(dark, 2.1))
    }

    @Test
    fun cloudsLeaveOutEdgesAndDoubt() {
        val identity = DoubleArray(12) { if (it % 5 == 0) 1.0 else 0.0 }
        val camera = Camera(identity, 4.0, 4.0, 2.0, 2.0)
        val depth = FloatArray(16) { 2f }
        depth[15] = 9f
        val confidence = FloatArray(16) { it + 1f }
        val image = ByteArray(48) { it.toByte() }
        val prediction = Prediction(4, 4, listOf(camera), depth, confidence)
        val cloud = buildCloud(listOf(image), prediction, 0.0)
        // The last pixel and its three neighbours are an edge.
        assertEquals(12, cloud.size)
        assertEquals(4 * 12, cloud.colors.size)
        assertEquals(-1f, cloud.points[0], 0f)
        assertEquals(255, cloud.colors[3].toInt() and 255)
        val half = buildCloud(listOf(image), prediction, 0.5)
        assertTrue(half.size in 1 until cloud.size)
    }

    @Test
    fun theOrbitLooksAtTheMiddleOfTheCloud() {
        val orbit = Orbit()
        orbit.lookAt(Cloud(floatArrayOf(0f, 0f, 1f, 0f, 0f, 3f, 0f, 0f, 9f), ByteArray(12)))
        for (turn in listOf(0.0, 0.3)) {
            orbit.turn(turn, turn)
            val (x, y, _) = project(orbit, 0f, 0f, 3f)
            assertEquals(0f, x, 1e-5f)
            assertEquals(0f, y, 1e-5f)
        }
        orbit.lookAt(Cloud(floatArrayOf(0f, 0f, 3f), ByteArray(4)))
        // OpenCV's x is right and its y is down; what is nearer has the smaller depth.
        assertTrue(project(orbit, 1f, 0f, 3f)[0] > 0)
        assertTrue(project(orbit, 0f, 1f, 3f)[1] < 0)
        assertTrue(project(orbit, 0f, 0f, 2f)[2] < project(orbit, 0f, 0f, 4f)[2])
        val before = project(orbit, 1f, 0f, 3f)[0]
        orbit.zoom(2.0)
        assertTrue(project(orbit, 1f, 0f, 3f)[0] > before)
        // What is in front follows the finger.
        orbit.turn(0.1, 0.1)
        assertTrue(project(orbit, 0f, 0f, 2.5f)[0] > 0)
        assertTrue(project(orbit, 0f, 0f, 2.5f)[1] < 0)
    }

    /** Normalised device coordinates of a world point. */
    private fun project(orbit: Orbit, x: Float, y: Float, z: Float): List<Float> {
        val m = orbit.matrix(1.0)
        val clip = List(4) { m[it] * x + m[4 + it] * y + m[8 + it] * z + m[12 + it] }
        return clip.take(3).map { it / clip[3] }
    }
}
