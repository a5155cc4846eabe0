"""Colours, sizes and the style sheet of the window."""

BACKGROUND = "#15171b"
PANEL = "#1c1f25"
RAISED = "#272b33"
HOVER = "#313641"
BORDER = "#353b46"
TEXT = "#e4e7ec"
MUTED = "#9aa3b1"
ACCENT = "#5aa2ea"
ON_ACCENT = "#0d1520"
ERROR = "#f0807c"
ERROR_PANEL = "#3a2224"
VIEW_TOP = "#1b1f27"
VIEW_BOTTOM = "#0f1115"
TRAJECTORY = "#f2b24c"
FRUSTUM = "#8fa0b8"

GAP = 8
"""Distance in logical pixels between neighbours; every margin is a multiple of it."""

STYLE_SHEET = f"""
* {{ font-size: 13px; }}
QWidget {{ background: {BACKGROUND}; color: {TEXT}; }}
QLabel, QToolTip {{ background: transparent; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {BORDER}; padding: 4px; }}
QLabel[role="muted"] {{ color: {MUTED}; }}
QLabel[role="title"] {{ font-size: 18px; font-weight: 600; }}
QFrame[role="panel"] {{ background: {PANEL}; border: 1px solid {BORDER}; border-radius: 6px; }}
QFrame[role="bar"] {{ background: {PANEL}; border: none; }}
QFrame[role="error"] {{
    background: {ERROR_PANEL}; border: 1px solid {ERROR}; border-radius: 6px;
}}

QPushButton, QComboBox {{
    background: {RAISED}; border: 1px solid {BORDER}; border-radius: 5px;
    padding: 0 12px; min-height: 28px; max-height: 28px;
}}
QPushButton:hover, QComboBox:hover {{ background: {HOVER}; }}
QPushButton:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QComboBox:disabled {{ color: #666e7b; background: {PANEL}; }}
QPushButton[role="primary"] {{
    background: {ACCENT}; color: {ON_ACCENT}; border-color: {ACCENT}; font-weight: 600;
}}
QPushButton[role="primary"]:hover {{ background: #74b3f2; }}
QPushButton[role="primary"]:disabled {{
    background: {PANEL}; color: #666e7b; border-color: {BORDER};
}}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox QAbstractItemView {{
    background: {RAISED}; border: 1px solid {BORDER}; selection-background-color: {HOVER};
    selection-color: {TEXT}; outline: none; padding: 4px;
}}

QSlider {{ background: transparent; min-height: 22px; }}
QSlider::groove:horizontal {{ height: 4px; background: {BORDER}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {TEXT};
}}
QSlider::handle:horizontal:hover {{ background: white; }}
QSlider::handle:horizontal:focus {{ background: white; }}

QSplitter::handle {{ background: {BACKGROUND}; }}
QSplitter::handle:hover {{ background: {BORDER}; }}
"""
