package org.pocketvggt.core

import org.json.JSONException
import org.json.JSONObject

/**
 * What the app has to know of a bundle.
 *
 * [methods] maps a number of views to the program's method for it, ascending; [outputs] are the
 * names of what a method returns, in order; [bytes] and [sha256] are the program's.
 */
class Manifest(
    val name: String,
    val precision: String,
    val height: Int,
    val width: Int,
    val methods: Map<Int, String>,
    val outputs: List<String>,
    val bytes: Long,
    val sha256: String,
) {
    /** The largest number of views that is not above [most], or the smallest there is. */
    fun viewsUpTo(most: Int): Int = methods.keys.lastOrNull { it <= most } ?: methods.keys.first()

    /** Where an output is among those of a method. */
    fun place(output: String): Int = outputs.indexOf(output)
}

const val PROGRAM = "model.pte"

/** Read manifest.json; IllegalArgumentException if it is not one of a usable bundle. */
fun parseManifest(text: String): Manifest {
    try {
        val json = JSONObject(text)
        require(json.getString("format") == "pocket-vggt-bundle" && json.getInt("format_version") == 1) {
            "the bundle's manifest is of another format or version"
        }
        val methods = json.getJSONObject("methods")
        val outputs = json.getJSONArray("outputs")
        val file = json.getJSONObject("files").getJSONObject(PROGRAM)
        val manifest = Manifest(
            name = json.getJSONObject("model").getString("name"),
            precision = json.getJSONObject("quantization").getString("name"),
            height = json.getJSONObject("input").getInt("height"),
            width = json.getJSONObject("input").getInt("width"),
            methods = methods.keys().asSequence().map { it.toString() }
                .associate { it.toInt() to methods.getString(it) }.toSortedMap(),
            outputs = List(outputs.length()) { outputs.getString(it) },
            bytes = file.getLong("bytes"),
            sha256 = file.getString("sha256"),
        )
        val missing = listOf("pose_enc", "depth", "depth_conf") - manifest.outputs.toSet()
        require(missing.isEmpty()) { "the bundle has no output ${missing.joinToString()}" }
        require(manifest.methods.isNotEmpty()) { "the bundle has no method" }
        return manifest
    } catch (error: JSONException) {
        throw IllegalArgumentException("the bundle's manifest is damaged: ${error.message}")
    } catch (error: NumberFormatException) {
        throw IllegalArgumentException("the bundle's manifest is damaged: ${error.message}")
    }
}
