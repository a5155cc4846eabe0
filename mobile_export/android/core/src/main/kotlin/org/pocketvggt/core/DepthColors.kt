package org.pocketvggt.core

import kotlin.math.ln
import kotlin.math.max

// 256 colours from cold (dark blue) to warm (dark red), six hexadecimal digits each; written by
// `python -m mobile_export project` from the table that the desktop app uses.
private const val TABLE = "@COLOR_TABLE@"

// Share of the pixels at either end that does not stretch the range of colours.
private const val STRAYS = 0.02

private val colors = IntArray(256) {
    0xff000000.toInt() or TABLE.substring(6 * it, 6 * it + 6).toInt(16)
}

/** Near and far depth without the outermost two percent on each side. */
fun depthRange(depth: FloatArray): Pair<Double, Double> {
    val sorted = depth.sortedArray()
    return Pair(quantile(sorted, STRAYS), quantile(sorted, 1 - STRAYS))
}

/**
 * Depth as colours 0xAARRGGBB: near is warm, far is cold, 0 and less is black.
 *
 * Even steps of the logarithm: 10 % of the depth is the same change of colour everywhere.
 */
fun colorDepth(depth: FloatArray, near: Double, far: Double): IntArray {
    val range = max(ln(far / near), 1e-9)
    return IntArray(depth.size) { i ->
        if (depth[i] > 0) {
            val place = (ln(depth[i].toDouble() / near) / range).coerceIn(0.0, 1.0)
            colors[Math.rint(255 * (1 - place)).toInt()]
        } else {
            0xff000000.toInt()
        }
    }
}

private fun quantile(sorted: FloatArray, share: Double): Double {
    val place = share * (sorted.size - 1)
    val below = place.toInt()
    val above = minOf(below + 1, sorted.size - 1)
    return sorted[below] + (place - below) * (sorted[above].toDouble() - sorted[below])
}
