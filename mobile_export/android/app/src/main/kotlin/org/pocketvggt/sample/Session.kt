package org.pocketvggt.sample

import java.io.Closeable
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import org.pocketvggt.core.Cloud
import org.pocketvggt.core.Frame
import org.pocketvggt.core.KeyframeGate
import org.pocketvggt.core.Manifest
import org.pocketvggt.core.buildCloud
import org.pocketvggt.core.colorDepth
import org.pocketvggt.core.depthRange
import org.pocketvggt.core.fitFrame

/** What one run gives to the screen: the newest view's depth in colours, and all points. */
class Result(val depth: IntArray, val cloud: Cloud, val timing: Timing)

/** Milliseconds: loading the method; for each view, preprocessing, the network, colours and points. */
class Timing(
    val precision: String,
    val views: Int,
    val load: Double,
    val preprocess: Double,
    val inference: Double,
    val draw: Double,
)

/**
 * A sliding window of keyframes and the network that sees them.
 *
 * Frames come in on the camera's thread; the network runs on a thread of its own, and so do the
 * callbacks. [onStatus] gets one line for the user.
 */
class Session(
    private val store: ModelStore,
    private val onStatus: (String) -> Unit,
    private val onResult: (Result) -> Unit,
) : Closeable {
    private val worker = Executors.newSingleThreadExecutor()
    private val pending = AtomicInteger(0)
    private val asked = AtomicBoolean(false)
    private val gate = KeyframeGate()
    private val window = ArrayDeque<ByteArray>()
    private var network: Network? = null

    // Set on the main thread, read on the others.
    @Volatile private var manifest: Manifest? = null
    @Volatile private var role = "main"
    @Volatile private var views = 0

    /** Whether frames are taken by themselves. */
    @Volatile var automatic = false

    /** Use this bundle and this number of views; what was seen stays if it fits. */
    fun select(role: String, manifest: Manifest, views: Int) {
        val reload = role != this.role
        this.manifest = manifest
        this.role = role
        this.views = views
        submit {
            if (reload) {
                network?.close()
                network = null
            }
            run(Double.NaN)
        }
    }

    /** Take the next frame, whatever it shows. */
    fun addView() = asked.set(true)

    /** Forget all views. */
    fun reset() = submit {
        window.clear()
        synchronized(gate) { gate.reset() }
        say("0 of $views views")
    }

    /** Whether a frame at this time (seconds) is wanted: copying it is not free. */
    fun wants(time: Double): Boolean =
        manifest != null && pending.get() == 0 &&
            (asked.get() || automatic && synchronized(gate) { gate.isDue(time) })

    /** Look at a frame that was wanted, and take it if it was asked for or is new enough. */
    fun offer(frame: Frame, time: Double) {
        val size = manifest ?: return
        val start = System.nanoTime()
        val image = try {
            fitFrame(frame, size.height, size.width)
        } catch (error: IllegalArgumentException) {
            asked.set(false)
            say(error.message.orEmpty())
            return
        }
        val millis = (System.nanoTime() - start) / 1e6
        synchronized(gate) {
            if (!gate.accepts(image, time) && !asked.get()) return
            gate.take(image)
        }
        asked.set(false)
        submit {
            window.addLast(image)
            run(millis)
        }
    }

    override fun close() {
        submit {
            network?.close()
            network = null
        }
        worker.shutdown()
    }

    private fun run(preprocess: Double) {
        val count = views
        while (window.size > count) window.removeFirst()
        say("${window.size} of $count views")
        if (window.size < count) return
        val images = window.toList()
        val loaded = network ?: Network(store.open(role)).also { network = it }
        val prediction = loaded.run(images)
        val start = System.nanoTime()
        val newest = prediction.depthOf(count - 1)
        val (near, far) = depthRange(newest)
        val colors = colorDepth(newest, near, far)
        val cloud = buildCloud(images, prediction)
        val draw = (System.nanoTime() - start) / 1e6
        val timing = Timing(
            precision = loaded.precision,
            views = count,
            load = loaded.loadMillis,
            preprocess = preprocess,
            inference = loaded.runMillis / count,
            draw = draw / count,
        )
        say("${cloud.size} points of $count views")
        onResult(Result(colors, cloud, timing))
    }

    /** Run a task on the worker. A fault of the model or the runtime is a line, never a crash. */
    private fun submit(task: () -> Unit) {
        pending.incrementAndGet()
        try {
            worker.execute {
                try {
                    task()
                } catch (error: Throwable) {
                    // Of any kind: a missing native library and a lack of memory are no Exceptions.
                    say(error.message ?: error.javaClass.simpleName)
                } finally {
                    pending.decrementAndGet()
                }
            }
        } catch (_: RejectedExecutionException) {
            // The screen is closing.
            pending.decrementAndGet()
        }
    }

    private fun say(text: String) = onStatus(text.lineSequence().first())
}
