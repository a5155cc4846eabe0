package org.pocketvggt.core

import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/** What the network says of S views: depth and confidence are [S, H, W]. */
class Prediction(
    val height: Int,
    val width: Int,
    val cameras: List<Camera>,
    val depth: FloatArray,
    val confidence: FloatArray,
) {
    fun depthOf(view: Int): FloatArray = part(depth, view)

    fun confidenceOf(view: Int): FloatArray = part(confidence, view)

    private fun part(values: FloatArray, view: Int): FloatArray =
        values.copyOfRange(view * height * width, (view + 1) * height * width)
}

/** Points in the world's frame, three numbers each; colours, four bytes each (RGBA). */
class Cloud(val points: FloatArray, val colors: ByteArray) {
    val size: Int get() = points.size / 3
}

// Depth that changes by more than this between neighbours is the edge of something: the network
// bridges it with points that hang in the air.
private const val EDGE = 0.08

/** The points of all views but the least confident share [quantile] of each and edges of depth. */
fun buildCloud(images: List<ByteArray>, prediction: Prediction, quantile: Double = 0.3): Cloud {
    val pixels = prediction.height * prediction.width
    val points = FloatArray(3 * images.size * pixels)
    val colors = ByteArray(4 * images.size * pixels)
    var count = 0
    images.forEachIndexed { view, image ->
        val depth = prediction.depthOf(view)
        val confidence = prediction.confidenceOf(view)
        val threshold = confidenceThreshold(confidence, quantile)
        val edges = depthEdges(depth, prediction.width)
        val world = unproject(depth, prediction.width, prediction.cameras[view])
        for (i in 0 until pixels) {
            if (confidence[i] >= threshold && !edges[i] && depth[i] > 0) {
                world.copyInto(points, 3 * count, 3 * i, 3 * i + 3)
                image.copyInto(colors, 4 * count, 3 * i, 3 * i + 3)
                colors[4 * count + 3] = -1
                count++
            }
        }
    }
    return Cloud(points.copyOf(3 * count), colors.copyOf(4 * count))
}

/**
 * The least confidence that is kept when the share [quantile] of the pixels is left out.
 *
 * Places by confidence are counted in 256 steps, as in the desktop app's clouds.
 */
fun confidenceThreshold(confidence: FloatArray, quantile: Double): Float {
    val last = max(1, confidence.size - 1)
    val step = ceil(255 * quantile).toLong()
    // The first place whose step, 255 place / last rounded down, is not below that one.
    val place = (step * last + 254) / 255
    return confidence.sortedArray()[min(place, confidence.size - 1L).toInt()]
}

/** Pixels [H, W] with a jump of depth among their neighbours. */
fun depthEdges(depth: FloatArray, width: Int): BooleanArray {
    val height = depth.size / width
    return BooleanArray(depth.size) { i ->
        var near = Float.POSITIVE_INFINITY
        var far = 0f
        for (y in max(0, i / width - 1)..min(height - 1, i / width + 1)) {
            for (x in max(0, i % width - 1)..min(width - 1, i % width + 1)) {
                near = min(near, depth[y * width + x])
                far = max(far, depth[y * width + x])
            }
        }
        far > near * (1 + EDGE)
    }
}
