"""The window: capture, live views and the 3D scene."""

from app.ui.main_window import MainWindow, run

__all__ = ["MainWindow", "run"]
