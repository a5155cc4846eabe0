package org.pocketvggt.sample

import android.annotation.SuppressLint
import android.content.Context
import android.opengl.GLES20
import android.opengl.GLSurfaceView
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.ScaleGestureDetector
import java.nio.ByteBuffer
import java.nio.ByteOrder
import javax.microedition.khronos.egl.EGLConfig
import javax.microedition.khronos.opengles.GL10
import org.pocketvggt.core.Cloud
import org.pocketvggt.core.Orbit

private const val VERTEX_SHADER = """
    uniform mat4 clipFromWorld;
    uniform float size;
    attribute vec3 point;
    attribute vec4 color;
    varying lowp vec4 shade;
    void main() {
        gl_Position = clipFromWorld * vec4(point, 1.0);
        gl_PointSize = size;
        shade = color;
    }
"""

private const val FRAGMENT_SHADER = """
    varying lowp vec4 shade;
    void main() {
        gl_FragColor = shade;
    }
"""

/** Draws a cloud of coloured points; drag to turn it, pinch to come nearer. */
class CloudView(context: Context, attributes: AttributeSet?) : GLSurfaceView(context, attributes) {
    private val orbit = Orbit()
    private val cloudRenderer = CloudRenderer(orbit)
    private var lastX = 0f
    private var lastY = 0f
    private var isEmpty = true

    private val pinch = ScaleGestureDetector(
        context,
        object : ScaleGestureDetector.SimpleOnScaleGestureListener() {
            override fun onScale(detector: ScaleGestureDetector): Boolean {
                val factor = detector.scaleFactor.toDouble()
                queueEvent { orbit.zoom(factor) }
                requestRender()
                return true
            }
        },
    )

    init {
        setEGLContextClientVersion(2)
        setRenderer(cloudRenderer)
        renderMode = RENDERMODE_WHEN_DIRTY
    }

    /** Show this cloud; the first one after an empty one is looked at as a whole. */
    fun show(cloud: Cloud) {
        val look = isEmpty && cloud.size > 0
        isEmpty = cloud.size == 0
        queueEvent {
            if (look) orbit.lookAt(cloud)
            cloudRenderer.cloud = cloud
        }
        requestRender()
    }

    @SuppressLint("ClickableViewAccessibility")
    override fun onTouchEvent(event: MotionEvent): Boolean {
        pinch.onTouchEvent(event)
        if (event.actionMasked == MotionEvent.ACTION_MOVE && event.pointerCount == 1) {
            val right = ((event.x - lastX) / width).toDouble()
            val down = ((event.y - lastY) / height).toDouble()
            queueEvent { orbit.turn(right, down) }
            requestRender()
        }
        // After a pinch the remaining finger goes on from where it is.
        val left = if (event.actionMasked == MotionEvent.ACTION_POINTER_UP) 1 - event.actionIndex else 0
        lastX = event.getX(left.coerceIn(0, event.pointerCount - 1))
        lastY = event.getY(left.coerceIn(0, event.pointerCount - 1))
        return true
    }
}

/** Everything here happens on the view's OpenGL thread. */
private class CloudRenderer(private val orbit: Orbit) : GLSurfaceView.Renderer {
    var cloud = Cloud(FloatArray(0), ByteArray(0))
        set(value) {
            field = value
            upload()
        }
    private var program = 0
    private val buffers = IntArray(2)
    private var width = 1
    private var height = 1

    override fun onSurfaceCreated(unused: GL10?, config: EGLConfig?) {
        program = GLES20.glCreateProgram()
        for ((kind, text) in listOf(
            GLES20.GL_VERTEX_SHADER to VERTEX_SHADER,
            GLES20.GL_FRAGMENT_SHADER to FRAGMENT_SHADER,
        )) {
            val shader = GLES20.glCreateShader(kind)
            GLES20.glShaderSource(shader, text)
            GLES20.glCompileShader(shader)
            GLES20.glAttachShader(program, shader)
        }
        GLES20.glLinkProgram(program)
        GLES20.glGenBuffers(2, buffers, 0)
        GLES20.glEnable(GLES20.GL_DEPTH_TEST)
        // The surface may be a new one, without what the last one held.
        upload()
    }

    override fun onSurfaceChanged(unused: GL10?, width: Int, height: Int) {
        this.width = width
        this.height = height
        GLES20.glViewport(0, 0, width, height)
    }

    override fun onDrawFrame(unused: GL10?) {
        GLES20.glClear(GLES20.GL_COLOR_BUFFER_BIT or GLES20.GL_DEPTH_BUFFER_BIT)
        if (cloud.size == 0) return
        GLES20.glUseProgram(program)
        val matrix = orbit.matrix(width.toDouble() / height)
        val clip = GLES20.glGetUniformLocation(program, "clipFromWorld")
        GLES20.glUniformMatrix4fv(clip, 1, false, matrix, 0)
        GLES20.glUniform1f(GLES20.glGetUniformLocation(program, "size"), maxOf(2f, height / 200f))
        bind("point", buffers[0], 3, GLES20.GL_FLOAT, false)
        bind("color", buffers[1], 4, GLES20.GL_UNSIGNED_BYTE, true)
        GLES20.glDrawArrays(GLES20.GL_POINTS, 0, cloud.size)
    }

    private fun bind(name: String, buffer: Int, parts: Int, type: Int, normalized: Boolean) {
        val place = GLES20.glGetAttribLocation(program, name)
        GLES20.glBindBuffer(GLES20.GL_ARRAY_BUFFER, buffer)
        GLES20.glEnableVertexAttribArray(place)
        GLES20.glVertexAttribPointer(place, parts, type, normalized, 0, 0)
    }

    private fun upload() {
        if (program == 0) return
        val bytes = ByteBuffer.allocateDirect(4 * cloud.points.size).order(ByteOrder.nativeOrder())
        bytes.asFloatBuffer().put(cloud.points)
        fill(buffers[0], bytes)
        fill(buffers[1], ByteBuffer.allocateDirect(cloud.colors.size).apply { put(cloud.colors) })
    }

    private fun fill(buffer: Int, bytes: ByteBuffer) {
        bytes.rewind()
        GLES20.glBindBuffer(GLES20.GL_ARRAY_BUFFER, buffer)
        GLES20.glBufferData(GLES20.GL_ARRAY_BUFFER, bytes.capacity(), bytes, GLES20.GL_STATIC_DRAW)
    }
}
