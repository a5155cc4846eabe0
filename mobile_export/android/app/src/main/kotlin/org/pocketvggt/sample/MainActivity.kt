package org.pocketvggt.sample

import android.graphics.Bitmap
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ImageView
import android.widget.Switch
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import java.util.Locale
import java.util.concurrent.Executors
import org.pocketvggt.core.Cloud
import org.pocketvggt.core.Manifest

/** The one screen: camera, depth, points, buttons and how long everything took. */
class MainActivity : ComponentActivity() {
    private val cameraThread = Executors.newSingleThreadExecutor()
    private lateinit var session: Session
    private lateinit var status: TextView
    private var manifests: Map<String, Manifest> = emptyMap()
    private var role = "main"
    private var views = 0

    private val permission =
        registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) startCamera() else status.setText(R.string.no_permission)
        }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        status = findViewById(R.id.status)
        val store = ModelStore(this)
        session = Session(
            store,
            onStatus = { line -> runOnUiThread { status.text = line } },
            onResult = { result -> runOnUiThread { show(result) } },
        )
        try {
            manifests = listOf("main", "compare").filter { it == "main" || store.has(it) }
                .associateWith { store.manifest(it) }
            store.removeOld(manifests.values.toList())
        } catch (error: Exception) {
            status.text = error.message
            return
        }
        setUpButtons()
        permission.launch(android.Manifest.permission.CAMERA)
    }

    override fun onResume() {
        super.onResume()
        findViewById<CloudView>(R.id.cloud).onResume()
    }

    override fun onPause() {
        findViewById<CloudView>(R.id.cloud).onPause()
        super.onPause()
    }

    override fun onDestroy() {
        cameraThread.shutdown()
        session.close()
        super.onDestroy()
    }

    private fun startCamera() {
        val fault = { line: String -> runOnUiThread { status.text = line } }
        CameraFrames(this, findViewById(R.id.camera), cameraThread, session, fault).start()
    }

    private fun setUpButtons() {
        findViewById<Button>(R.id.add).setOnClickListener { session.addView() }
        findViewById<Switch>(R.id.automatic).setOnCheckedChangeListener { _, on ->
            session.automatic = on
        }
        findViewById<Button>(R.id.reset).setOnClickListener {
            session.reset()
            findViewById<ImageView>(R.id.depth).setImageDrawable(null)
            findViewById<CloudView>(R.id.cloud).show(Cloud(FloatArray(0), ByteArray(0)))
        }
        // Both bundles must have the number of views, or the switch would change two things at once.
        val counts = manifests.values.map { it.methods.keys.toSet() }
            .reduce { common, keys -> common intersect keys }.sorted()
        views = counts.lastOrNull { it <= 4 } ?: counts.first()
        val viewsButton = findViewById<Button>(R.id.views)
        viewsButton.setOnClickListener {
            views = counts[(counts.indexOf(views) + 1) % counts.size]
            select(viewsButton)
        }
        val other = findViewById<Switch>(R.id.other)
        manifests["compare"]?.let { compare ->
            other.visibility = View.VISIBLE
            other.text =
                getString(R.string.use_other, compare.precision, manifests.getValue("main").precision)
        }
        other.setOnCheckedChangeListener { _, on ->
            role = if (on) "compare" else "main"
            select(viewsButton)
        }
        select(viewsButton)
    }

    private fun select(viewsButton: Button) {
        viewsButton.text = getString(R.string.views, views)
        session.select(role, manifests.getValue(role), views)
    }

    private fun show(result: Result) {
        val size = manifests.getValue("main")
        val picture =
            Bitmap.createBitmap(result.depth, size.width, size.height, Bitmap.Config.ARGB_8888)
        findViewById<ImageView>(R.id.depth).setImageBitmap(picture)
        findViewById<CloudView>(R.id.cloud).show(result.cloud)
        findViewById<TextView>(R.id.timing).text = describe(result.timing)
    }

    private fun describe(timing: Timing): String {
        // A run without a new view has preprocessed nothing.
        val preprocess = if (timing.preprocess.isNaN()) "-" else millis(timing.preprocess)
        return "${timing.precision}, ${timing.views} views, ms a view: preprocess $preprocess, " +
            "inference ${millis(timing.inference)}, draw ${millis(timing.draw)}; " +
            "load ${millis(timing.load)} ms"
    }

    private fun millis(value: Double) = String.format(Locale.ROOT, "%.1f", value)
}
