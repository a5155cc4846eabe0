"""Runs a source through the window, without a display, and measures what its user would feel."""

import os
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from app.bench.idle import IdleLoop
from app.bench.loop import LoopWatch
from app.bench.measurement import Meter
from app.errors import AppError
from app.live import Growth, OpenSource
from app.ui import style
from app.ui.choices import bundle_choice, source_choice
from app.ui.session import Session
from app.ui.window import MainWindow


def prepare() -> QApplication:
    """The application, on a platform without a display unless one is named."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    application = QApplication.instance() or QApplication(["pocket-vggt"])
    assert isinstance(application, QApplication)
    style.apply(application)
    return application


def measure(
    source: str,
    bundle: Path,
    open_source: OpenSource,
    meter: Meter,
    views: int,
    refine_newest: bool,
) -> None:
    """Run a source through a window to its end, so many views at a time.

    refine_newest: with *Refine while capturing*. A keyframe's latency ends here when the view has
    its points.
    """
    window = MainWindow([source_choice(source)], [bundle_choice(bundle)], open_source=open_source)
    window.actions_["refine_newest"].setChecked(refine_newest)
    window.show()
    # A user does not start within the first second, while the view compiles its shaders.
    window.view.scene.draw_now()
    QApplication.processEvents()
    watch = LoopWatch(window)
    window.run_with(views)
    session = window.findChild(Session)
    if session is None:
        raise AppError("the window did not start")

    def on_grown(growth: Growth) -> None:
        since = time.perf_counter() - growth.accepted - max(growth.latencies, default=0.0)
        meter.note(growth, [latency + since for latency in growth.latencies])

    def on_ended() -> None:
        watch.stop()
        result.frames, result.refused = session.frames, session.refused
        if session.refiner and meter.keyframes:
            result.refined = session.refiner.document(len(meter.keyframes))
        until_end.quit()

    result = meter.result
    until_end = QEventLoop()
    session.began.connect(watch.start)
    session.frame_ready.connect(meter.frame_ready)
    window.display.growth_shown.connect(on_grown)
    session.assessed.connect(lambda accuracy, lane: meter.assessed(lane, accuracy))
    session.warned.connect(meter.warned)
    session.failed.connect(meter.failed)
    # The window lets go of the session at its end: what came after its own slot might be lost.
    window.run_ended.connect(on_ended)
    idle = IdleLoop()
    until_end.exec()
    result.idle_loop = idle.stop()
    result.loop, result.loop_work = watch.turns, watch.work
    result.held_up_by = watch.held_up_by()
    window.close()
