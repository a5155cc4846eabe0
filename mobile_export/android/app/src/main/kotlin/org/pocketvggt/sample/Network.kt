package org.pocketvggt.sample

import java.io.Closeable
import org.pocketvggt.core.Prediction
import org.pocketvggt.core.decodePoses
import org.pocketvggt.core.planar
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/** The program of a model, with one method loaded at a time. For one thread only. */
class Network(private val model: Model) : Closeable {
    /** How the model's weights are kept. */
    val precision: String get() = model.manifest.precision

    private var module: Module? = null
    private var method = ""

    /** Milliseconds that loading the present method took. */
    var loadMillis = 0.0
        private set

    /** Milliseconds that the last [run] took, without loading. */
    var runMillis = 0.0
        private set

    /** What the network says of these images, in the first one's frame. Throws RuntimeException. */
    fun run(images: List<ByteArray>): Prediction {
        val manifest = model.manifest
        val name = checkNotNull(manifest.methods[images.size]) {
            "the model takes ${manifest.methods.keys.joinToString()} views, not ${images.size}"
        }
        val loaded = load(name)
        val shape = longArrayOf(
            images.size.toLong(), 3, manifest.height.toLong(), manifest.width.toLong(),
        )
        val input = EValue.from(Tensor.fromBlob(planar(images), shape))
        val start = System.nanoTime()
        val outputs = loaded.execute(name, input)
        runMillis = (System.nanoTime() - start) / 1e6
        check(outputs.size == manifest.outputs.size) { "the runtime could not run $name" }
        val values = { output: String ->
            outputs[manifest.place(output)].toTensor().dataAsFloatArray
        }
        return Prediction(
            height = manifest.height,
            width = manifest.width,
            cameras = decodePoses(values("pose_enc"), manifest.height, manifest.width),
            depth = values("depth"),
            confidence = values("depth_conf"),
        )
    }

    override fun close() {
        module?.destroy()
        module = null
    }

    private fun load(name: String): Module {
        module?.let { if (method == name) return it }
        // Packed weights belong to a method: let go of the last one's first.
        close()
        val start = System.nanoTime()
        // Without a mode the whole file would be copied into memory. 0 threads: the runtime's choice.
        val loaded = Module.load(model.program.path, Module.LOAD_MODE_MMAP, 0)
        module = loaded
        method = name
        loaded.loadMethod(name)
        loadMillis = (System.nanoTime() - start) / 1e6
        return loaded
    }
}
