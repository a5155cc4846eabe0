package org.pocketvggt.core

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** Pre- and postprocessing against what the exporter's Python code computes. */
class GoldenTest {
    private val golden = JSONObject(
        checkNotNull(javaClass.getResource("/golden.json")) { "golden.json is missing" }.readText(),
    )

    @Test
    fun framesBecomeTheNetworksImages() {
        val cases = golden.getJSONArray("preprocess")
        for (i in 0 until cases.length()) {
            val case = cases.getJSONObject(i)
            val image = fitFrame(frameOf(case), case.getInt("target_height"), case.getInt("target_width"))
            assertArrayEquals("case $i", case.bytes("rgb"), image)
        }
    }

    @Test
    fun tooSmallAFrameIsRefused() {
        val frame = frameOf(golden.getJSONArray("preprocess").getJSONObject(0))
        assertThrows(IllegalArgumentException::class.java) { fitFrame(frame, 28, 28) }
    }

    @Test
    fun imagesBecomePlanes() {
        val case = golden.getJSONObject("planar")
        val images = case.getJSONArray("images")
        val planes = planar(List(images.length()) { images.getJSONArray(it).toBytes() })
        assertArrayEquals(case.floats("expected"), planes, 1e-7f)
    }

    @Test
    fun poseCodesBecomeCameras() {
        val case = golden.getJSONObject("poses")
        val cameras = decodePoses(case.floats("pose_enc"), case.getInt("height"), case.getInt("width"))
        val extrinsic = case.doubles("extrinsic")
        val intrinsic = case.doubles("intrinsic")
        assertEquals(extrinsic.size, 12 * cameras.size)
        cameras.forEachIndexed { view, camera ->
            assertArrayEquals(
                extrinsic.copyOfRange(12 * view, 12 * view + 12), camera.extrinsic, 1e-6,
            )
            val found = doubleArrayOf(camera.focalX, camera.focalY, camera.centreX, camera.centreY)
            for (k in 0..3) {
                val expected = intrinsic[4 * view + k]
                assertEquals(expected, found[k], 1e-5 * maxOf(1.0, expected))
            }
        }
    }

    @Test
    fun depthBecomesWorldPoints() {
        val case = golden.getJSONObject("points")
        val width = case.getInt("width")
        val camera = decodePoses(case.floats("pose_enc"), case.getInt("height"), width).single()
        assertArrayEquals(
            case.floats("points"), unproject(case.floats("depth"), width, camera), 1e-5f,
        )
    }

    @Test
    fun theLeastConfidentAreLeftOut() {
        val case = golden.getJSONObject("confidence")
        val values = case.floats("values")
        val thresholds = case.floats("thresholds")
        val kept = case.doubles("kept")
        case.doubles("quantiles").forEachIndexed { i, quantile ->
            val threshold = confidenceThreshold(values, quantile)
            assertEquals(thresholds[i], threshold, 0f)
            assertEquals(kept[i].toInt(), values.count { it >= threshold })
        }
    }

    @Test
    fun edgesOfDepthAreFound() {
        val case = golden.getJSONObject("edges")
        val edges = depthEdges(case.floats("depth"), case.getInt("width"))
        val expected = case.getJSONArray("edges")
        assertEquals(List(expected.length()) { expected.getBoolean(it) }, edges.toList())
    }

    @Test
    fun depthBecomesColours() {
        val case = golden.getJSONObject("colors")
        val (near, far) = depthRange(case.floats("range_of"))
        assertEquals(case.getDouble("near"), near, 1e-6)
        assertEquals(case.getDouble("far"), far, 1e-6)
        val found = colorDepth(case.floats("depth"), case.getDouble("near"), case.getDouble("far"))
        val rgb = case.bytes("rgb")
        val expected = IntArray(found.size) { i ->
            (0..2).fold(255) { color, k -> (color shl 8) or (rgb[3 * i + k].toInt() and 255) }
        }
        assertArrayEquals(expected, found)
    }

    private fun frameOf(case: JSONObject) = Frame(
        bytes = case.bytes("bytes"),
        width = case.getInt("width"),
        height = case.getInt("height"),
        rowStride = case.getInt("row_stride"),
        rotation = case.getInt("rotation"),
    )
}

private fun JSONArray.toDoubles() = DoubleArray(length()) { getDouble(it) }

private fun JSONArray.toBytes() = ByteArray(length()) { getInt(it).toByte() }

private fun JSONObject.doubles(name: String) = getJSONArray(name).toDoubles()

private fun JSONObject.floats(name: String) =
    doubles(name).let { values -> FloatArray(values.size) { values[it].toFloat() } }

private fun JSONObject.bytes(name: String) = getJSONArray(name).toBytes()
