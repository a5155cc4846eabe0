"""Faults of other packages that this project has to keep clear of."""

import os
import subprocess
import sys

from PySide6.QtCore import QObject, QSize


def test_void_calls_keep_their_references_to_none() -> None:
    """PySide6 6.12.0 on Python 3.10 and 3.11 loses one at every call and aborts in the end."""
    thing, size = QObject(), QSize()
    before = sys.getrefcount(None)
    for _ in range(1000):
        thing.setObjectName("name")
        size.setWidth(3)
    assert abs(sys.getrefcount(None) - before) < 100


def test_opencv_leaves_the_variables_of_qt_alone() -> None:
    """The wheel of OpenCV points them at the Qt 5 that it brings."""
    code = (
        "import os; os.environ['QT_QPA_FONTDIR'] = '/fonts'; from app.capture._cv2 import cv2\n"
        "print(os.environ['QT_QPA_FONTDIR'], os.environ.get('QT_QPA_PLATFORM_PLUGIN_PATH'))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QT_QPA_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout.split() == [b"/fonts", b"None"], done.stderr
