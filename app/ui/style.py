"""Colours, sizes and the style sheet of the window."""

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

BACKGROUND = "#15171b"
PANEL = "#1c1f25"
RAISED = "#272b33"
HOVER = "#313641"
BORDER = "#353b46"
TEXT = "#e4e7ec"
MUTED = "#9aa3b1"
FAINT = "#666e7b"
ACCENT = "#5aa2ea"
ACCENT_HOVER = "#74b3f2"
ON_ACCENT = "#0d1520"
ERROR = "#f0807c"
ERROR_PANEL = "#3a2224"
VIEW_TOP = "#1b1f27"
VIEW_BOTTOM = "#0f1115"
TRAJECTORY = "#f2b24c"
FRUSTUM = "#8fa0b8"

FONT_SIZE = 13
"""Logical pixels."""

GAP = 8
"""Logical pixels between neighbours; every margin is a multiple of it."""

_PALETTE = {
    QPalette.ColorRole.Window: BACKGROUND,
    QPalette.ColorRole.WindowText: TEXT,
    QPalette.ColorRole.Base: PANEL,
    QPalette.ColorRole.AlternateBase: RAISED,
    QPalette.ColorRole.Text: TEXT,
    QPalette.ColorRole.PlaceholderText: MUTED,
    QPalette.ColorRole.Button: RAISED,
    QPalette.ColorRole.ButtonText: TEXT,
    QPalette.ColorRole.ToolTipBase: RAISED,
    QPalette.ColorRole.ToolTipText: TEXT,
    QPalette.ColorRole.Highlight: ACCENT,
    QPalette.ColorRole.HighlightedText: ON_ACCENT,
}

_STYLE_SHEET = f"""
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {BORDER}; padding: 4px; }}
QLabel[role="muted"] {{ color: {MUTED}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="title"] {{ font-size: 18px; font-weight: 600; }}
QFrame[role="panel"] {{ background: {PANEL}; border: 1px solid {BORDER}; border-radius: 6px; }}
QFrame[role="bar"] {{ background: {PANEL}; }}
QFrame[role="error"] {{
    background: {ERROR_PANEL}; border: 1px solid {ERROR}; border-radius: 6px;
}}

QPushButton, QComboBox {{
    background: {RAISED}; border: 1px solid {BORDER}; border-radius: 5px;
    padding: 0 12px; min-height: 28px; max-height: 28px;
}}
QPushButton:hover, QComboBox:hover {{ background: {HOVER}; }}
QPushButton:pressed {{ background: {BORDER}; }}
QPushButton:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QComboBox:disabled {{
    color: {FAINT}; background: {PANEL}; border-color: {RAISED};
}}
QPushButton[role="primary"] {{
    background: {ACCENT}; color: {ON_ACCENT}; border-color: {ACCENT}; font-weight: 600;
}}
QPushButton[role="primary"]:hover {{ background: {ACCENT_HOVER}; }}
QPushButton[role="primary"]:focus {{ border-color: {TEXT}; }}
QPushButton[role="primary"]:disabled {{
    color: {FAINT}; background: {PANEL}; border-color: {RAISED};
}}
QComboBox::drop-down {{ border: none; width: 28px; }}
QComboBox QAbstractItemView {{
    background: {RAISED}; border: 1px solid {BORDER}; padding: 4px; outline: none;
    selection-background-color: {HOVER}; selection-color: {TEXT};
}}

QSlider {{ min-height: 22px; }}
QSlider::groove:horizontal {{ height: 4px; background: {BORDER}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {TEXT};
}}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: white; }}

QProgressBar {{ background: {PANEL}; border: none; }}
QProgressBar::chunk {{ background: {ACCENT}; }}

QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {BORDER}; }}
"""


def apply(application: QApplication) -> None:
    """Give the whole application, its dialogs included, the dark look."""
    application.setStyle("Fusion")
    palette = QPalette()
    for role, color in _PALETTE.items():
        palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(FAINT))
    application.setPalette(palette)
    font = application.font()
    font.setPixelSize(FONT_SIZE)
    application.setFont(font)
    application.setStyleSheet(_STYLE_SHEET)
