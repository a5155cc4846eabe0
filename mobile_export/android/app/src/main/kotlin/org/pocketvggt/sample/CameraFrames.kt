package org.pocketvggt.sample

import android.util.Size
import androidx.activity.ComponentActivity
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.core.Preview
import androidx.camera.core.resolutionselector.ResolutionSelector
import androidx.camera.core.resolutionselector.ResolutionStrategy
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import java.util.concurrent.ExecutorService
import org.pocketvggt.core.Frame

// Large enough for every network's image, upright or not.
private val FRAME = Size(1280, 960)

/** The back camera: a preview, and its frames for a session on a thread of their own. */
class CameraFrames(
    private val activity: ComponentActivity,
    private val preview: PreviewView,
    private val thread: ExecutorService,
    private val session: Session,
    private val onFault: (String) -> Unit,
) {
    /** Start; what goes wrong is told in one line. */
    fun start() {
        val coming = ProcessCameraProvider.getInstance(activity)
        coming.addListener(
            {
                try {
                    bind(coming.get())
                } catch (error: Exception) {
                    onFault("the camera cannot be opened: ${error.message}")
                }
            },
            ContextCompat.getMainExecutor(activity),
        )
    }

    private fun bind(provider: ProcessCameraProvider) {
        val back = CameraSelector.DEFAULT_BACK_CAMERA
        if (!provider.hasCamera(back)) {
            onFault("this device has no back camera")
            return
        }
        val picture = Preview.Builder().build()
        picture.setSurfaceProvider(preview.surfaceProvider)
        val strategy =
            ResolutionStrategy(FRAME, ResolutionStrategy.FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER)
        val analysis = ImageAnalysis.Builder()
            .setResolutionSelector(
                ResolutionSelector.Builder().setResolutionStrategy(strategy).build(),
            )
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .build()
        analysis.setAnalyzer(thread) { image -> image.use { look(it) } }
        provider.unbindAll()
        provider.bindToLifecycle(activity, back, picture, analysis)
    }

    private fun look(image: ImageProxy) {
        val time = image.imageInfo.timestamp / 1e9
        if (!session.wants(time)) return
        val plane = image.planes[0]
        plane.buffer.rewind()
        val bytes = ByteArray(plane.buffer.remaining())
        plane.buffer.get(bytes)
        val rotation = image.imageInfo.rotationDegrees
        session.offer(Frame(bytes, image.width, image.height, plane.rowStride, rotation), time)
    }
}
