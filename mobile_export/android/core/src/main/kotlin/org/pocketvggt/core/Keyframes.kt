package org.pocketvggt.core

import kotlin.math.abs

/**
 * Decides which frames become keyframes: enough time has passed and the picture has changed.
 *
 * [seconds] between two looks at the camera; [change] in grey levels, the mean over the picture.
 */
class KeyframeGate(private val seconds: Double = 0.5, private val change: Double = 10.0) {
    private var lastLook = Double.NEGATIVE_INFINITY
    private var lastTaken: ByteArray? = null

    /** Whether the frame at this time is worth preprocessing at all. */
    fun isDue(time: Double): Boolean = time - lastLook >= seconds

    /** Whether this image, looked at now, has changed enough since the last that was [take]n. */
    fun accepts(image: ByteArray, time: Double): Boolean {
        lastLook = time
        val last = lastTaken ?: return true
        var sum = 0L
        // Green stands for grey.
        for (i in 1 until image.size step 3) {
            sum += abs((image[i].toInt() and 255) - (last[i].toInt() and 255))
        }
        return sum * 3.0 / image.size >= change
    }

    /** What the next images are compared with. */
    fun take(image: ByteArray) {
        lastTaken = image
    }

    /** Forget everything: the next image is accepted. */
    fun reset() {
        lastLook = Double.NEGATIVE_INFINITY
        lastTaken = null
    }
}
