package org.pocketvggt.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/**
 * A camera frame of four bytes a pixel.
 *
 * [rotation] is the clockwise turn in degrees (0, 90, 180 or 270) that makes the picture upright;
 * rows begin every [rowStride] bytes; the order of the bytes is red, green, blue, alpha.
 */
class Frame(
    val bytes: ByteArray,
    val width: Int,
    val height: Int,
    val rowStride: Int,
    val rotation: Int,
)

/**
 * The upright frame, cropped about its centre to the aspect of the network's image and shrunk to
 * it: RGB, three bytes a pixel, [height] rows of [width].
 *
 * Every pixel is the mean of the area that it covers, so that fine texture does not become noise.
 * Throws IllegalArgumentException if the crop is smaller than the network's image.
 */
fun fitFrame(frame: Frame, height: Int, width: Int): ByteArray {
    val lying = frame.rotation % 180 != 0
    val uprightWidth = if (lying) frame.height else frame.width
    val uprightHeight = if (lying) frame.width else frame.height
    val aspect = width.toDouble() / height
    val cropWidth = min(uprightWidth, Math.rint(uprightHeight * aspect).toInt())
    val cropHeight = min(uprightHeight, Math.rint(uprightWidth / aspect).toInt())
    require(cropWidth >= width && cropHeight >= height) {
        "the camera's ${uprightWidth}x$uprightHeight frames are too small for ${width}x$height"
    }
    val left = (uprightWidth - cropWidth) / 2
    val top = (uprightHeight - cropHeight) / 2

    // Where upright pixel (x, y) is: start + x * right + y * down. Nothing is turned in memory.
    val lastRow = (frame.height - 1) * frame.rowStride
    val lastColumn = (frame.width - 1) * 4
    val (start, right, down) = when (frame.rotation) {
        0 -> Triple(0, 4, frame.rowStride)
        90 -> Triple(lastRow, -frame.rowStride, 4)
        180 -> Triple(lastRow + lastColumn, -4, -frame.rowStride)
        270 -> Triple(lastColumn, frame.rowStride, -4)
        else -> throw IllegalArgumentException("a rotation of ${frame.rotation} degrees")
    }
    val rows = spans(cropHeight, height, top)
    val columns = spans(cropWidth, width, left)
    val result = ByteArray(3 * height * width)
    var target = 0
    for (row in rows) {
        for (column in columns) {
            var red = 0.0
            var green = 0.0
            var blue = 0.0
            for (i in row.weights.indices) {
                var source = start + (row.first + i) * down + column.first * right
                for (weight in column.weights) {
                    val share = row.weights[i] * weight
                    red += share * (frame.bytes[source].toInt() and 255)
                    green += share * (frame.bytes[source + 1].toInt() and 255)
                    blue += share * (frame.bytes[source + 2].toInt() and 255)
                    source += right
                }
            }
            result[target++] = Math.rint(red).toInt().toByte()
            result[target++] = Math.rint(green).toInt().toByte()
            result[target++] = Math.rint(blue).toInt().toByte()
        }
    }
    return result
}

/** The network's input [S, 3, H, W] in [0, 1] of S images as [fitFrame] makes them. */
fun planar(images: List<ByteArray>): FloatArray {
    val pixels = images.first().size / 3
    val result = FloatArray(images.size * 3 * pixels)
    images.forEachIndexed { view, image ->
        for (channel in 0 until 3) {
            val start = (3 * view + channel) * pixels
            for (pixel in 0 until pixels) {
                result[start + pixel] = (image[3 * pixel + channel].toInt() and 255) / 255f
            }
        }
    }
    return result
}

/** The source pixels that one target pixel covers, from [first] on, and the share of each. */
private class Span(val first: Int, val weights: DoubleArray)

private fun spans(source: Int, target: Int, offset: Int): List<Span> {
    val scale = source.toDouble() / target
    return List(target) { i ->
        val begin = i * scale
        val end = min(source.toDouble(), (i + 1) * scale)
        val first = floor(begin).toInt()
        val last = min(source, ceil(end).toInt())
        Span(
            offset + first,
            DoubleArray(last - first) { k ->
                (min(end, first + k + 1.0) - max(begin, (first + k).toDouble())) / scale
            },
        )
    }
}
