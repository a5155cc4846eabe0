"""A bare event loop in a process of its own: what the machine alone keeps a window waiting.

As a program it runs until its input ends, and then writes its turns as JSON.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QMetaObject, Qt

from app.bench.loop import LoopWatch


class IdleLoop:
    """Runs beside a window that is measured. In a frozen app there is none: it has no turns."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        if not getattr(sys, "frozen", False):
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.bench.idle"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )

    def stop(self) -> list[float]:
        """End it; its turns in seconds."""
        if self._process is None:
            return []
        answer, _ = self._process.communicate("")
        turns: list[float] = json.loads(answer or "[]")
        return turns


def main() -> None:
    """Run the loop until the input ends."""
    application = QCoreApplication([])
    watch = LoopWatch(application)

    def wait_for_end() -> None:
        sys.stdin.read()
        QMetaObject.invokeMethod(application, "quit", Qt.ConnectionType.QueuedConnection)

    threading.Thread(target=wait_for_end, daemon=True).start()
    watch.start(looks=False)
    application.exec()
    watch.stop()
    json.dump(watch.turns, sys.stdout)


if __name__ == "__main__":
    main()
