package org.pocketvggt.sample

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.security.MessageDigest
import org.pocketvggt.core.Manifest
import org.pocketvggt.core.PROGRAM
import org.pocketvggt.core.parseManifest

/** A bundle on this device: its manifest and its program as a file. */
class Model(val manifest: Manifest, val program: File)

/** The bundles that the app was built with. */
class ModelStore(private val context: Context) {
    /** Whether there is a bundle of this name: "main", or "compare" for the switch. */
    fun has(role: String): Boolean = role in context.assets.list(FOLDER).orEmpty()

    /** The manifest alone. Throws IOException or IllegalArgumentException with one line. */
    fun manifest(role: String): Manifest {
        try {
            val file = context.assets.open("$FOLDER/$role/manifest.json")
            return parseManifest(file.reader().use { it.readText() })
        } catch (error: FileNotFoundException) {
            throw IOException("this app was built without a model: write the project again", error)
        }
    }

    /**
     * A bundle, its program copied out of the package on the first start.
     *
     * Only a file of its own can be mapped into memory, which keeps the weights out of the heap.
     */
    fun open(role: String): Model {
        val manifest = manifest(role)
        val program = File(context.filesDir, "${manifest.sha256}.pte")
        if (program.length() != manifest.bytes) copy(role, manifest, program)
        return Model(manifest, program)
    }

    /** Remove the programs of earlier versions of the app. */
    fun removeOld(kept: List<Manifest>) {
        val names = kept.map { "${it.sha256}.pte" }
        context.filesDir.listFiles().orEmpty()
            .filter { it.extension == "pte" && it.name !in names }
            .forEach { it.delete() }
    }

    /** Copy, check and only then give the file its name. */
    private fun copy(role: String, manifest: Manifest, program: File) {
        // The system empties this folder: a copy that is broken off takes no room for ever.
        val part = File.createTempFile("program", null, context.cacheDir)
        val digest = MessageDigest.getInstance("SHA-256")
        context.assets.open("$FOLDER/$role/$PROGRAM").use { source ->
            part.outputStream().use { target ->
                val buffer = ByteArray(1 shl 20)
                while (true) {
                    val count = source.read(buffer)
                    if (count < 0) break
                    digest.update(buffer, 0, count)
                    target.write(buffer, 0, count)
                }
            }
        }
        val found = digest.digest().joinToString("") { "%02x".format(it) }
        if (found != manifest.sha256 || !part.renameTo(program)) {
            part.delete()
            throw IOException("the model in this app is damaged: write the project again")
        }
    }

    private companion object {
        const val FOLDER = "bundles"
    }
}
