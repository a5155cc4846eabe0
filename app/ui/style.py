"""Colours, sizes and the style sheet of the window, dark and light.

Colours are read as `style.TEXT`, `style.ACCENT` and so on, at the time of painting: they are those
of the theme that is on. After a change every widget gets a QEvent.PaletteChange.
"""

from dataclasses import asdict, dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication


@dataclass(frozen=True)
class Theme:
    """Colours by what they are for."""

    background: str
    panel: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    on_accent: str
    error: str
    error_panel: str
    good: str
    view_top: str
    view_bottom: str
    trajectory: str
    frustum: str
    network: str


DARK = Theme(
    background="#15171b",
    panel="#1c1f25",
    raised="#272b33",
    hover="#313641",
    border="#353b46",
    text="#e4e7ec",
    muted="#9aa3b1",
    faint="#666e7b",
    accent="#5aa2ea",
    accent_hover="#74b3f2",
    on_accent="#0d1520",
    error="#f0807c",
    error_panel="#3a2224",
    good="#6cc48a",
    view_top="#1b1f27",
    view_bottom="#0f1115",
    trajectory="#f2b24c",
    frustum="#8fa0b8",
    network="#4fd1c1",
)

LIGHT = Theme(
    background="#e9ebef",
    panel="#f8f9fb",
    raised="#ffffff",
    hover="#e3e7ee",
    border="#c3c9d3",
    text="#1b2027",
    muted="#56606e",
    faint="#9097a2",
    accent="#1f6fc2",
    accent_hover="#185c9f",
    on_accent="#ffffff",
    error="#b3312c",
    error_panel="#fbe6e4",
    good="#1a6f3d",
    view_top="#f1f3f7",
    view_bottom="#d5dae3",
    trajectory="#b35c00",
    frustum="#5b6b84",
    network="#00756b",
)

FONT_SIZE = 13
"""Logical pixels."""

GAP = 8
"""Logical pixels between neighbours; every margin is a multiple of it."""

_now = DARK


def theme() -> Theme:
    """The theme that is on."""
    return _now


def __getattr__(name: str) -> str:
    """The colours of the theme that is on, in capitals."""
    if name.isupper() and hasattr(_now, name.lower()):
        return str(getattr(_now, name.lower()))
    raise AttributeError(f"module {__name__} has no attribute {name}")


def named_theme(name: str) -> Theme:
    """The theme of a name: "dark", "light", or the system's (dark where it does not tell)."""
    if name == "system":
        is_light = QApplication.styleHints().colorScheme() is Qt.ColorScheme.Light
        return LIGHT if is_light else DARK
    return LIGHT if name == "light" else DARK


def apply(application: QApplication, theme: Theme = DARK) -> None:
    """Give the whole application, its dialogs included, this look."""
    global _now
    _now = theme
    application.setStyle("Fusion")
    font = application.font()
    font.setPixelSize(FONT_SIZE)
    application.setFont(font)
    application.setStyleSheet(_SHEET.format_map(asdict(theme)))
    application.setPalette(_palette(theme))


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Link: theme.accent,
    }
    palette = QPalette()
    for name, color in colors.items():
        palette.setColor(name, QColor(color))
    for name in (role.Text, role.ButtonText, role.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.faint))
    return palette


_SHEET = """
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {border}; padding: 4px; }}
QLabel[role="muted"] {{ color: {muted}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="title"] {{ font-size: 18px; font-weight: 600; }}
QLabel[role="warning"] {{ color: {error}; }}
QLabel[role="good"] {{ color: {good}; }}
QLabel[role="key"] {{
    background: {raised}; border: 1px solid {border}; border-radius: 4px; padding: 1px 6px;
}}
QFrame[role="panel"] {{ background: {panel}; border: 1px solid {border}; border-radius: 6px; }}
QFrame[role="bar"] {{ background: {panel}; }}
QFrame[role="error"] {{
    background: {error_panel}; border: 1px solid {error}; border-radius: 6px;
}}
QFrame[role="notice"] {{
    background: {raised}; border: 1px solid {accent}; border-radius: 6px;
}}

QMenuBar {{ background: {panel}; padding: 2px {gap}px; }}
QMenuBar::item {{ background: transparent; padding: 4px 8px; border-radius: 4px; }}
QMenuBar::item:selected {{ background: {hover}; }}
QMenu {{ background: {raised}; border: 1px solid {border}; padding: 4px; }}
QMenu::item {{ padding: 5px 28px 5px 28px; border-radius: 4px; }}
QMenu::item:selected {{ background: {hover}; color: {text}; }}
QMenu::item:disabled {{ color: {faint}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {border}; margin: 4px 8px; }}
QMenu::indicator {{ left: 8px; }}

QPushButton, QComboBox {{
    background: {raised}; border: 1px solid {border}; border-radius: 5px;
    padding: 0 12px; min-height: 28px; max-height: 28px;
}}
QPushButton:hover, QComboBox:hover {{ background: {hover}; }}
QPushButton:pressed {{ background: {border}; }}
QPushButton:focus, QComboBox:focus {{ border-color: {accent}; }}
QPushButton:checked {{ border-color: {error}; color: {error}; background: {error_panel}; }}
QPushButton:disabled, QComboBox:disabled {{
    color: {faint}; background: {panel}; border-color: {border};
}}
QPushButton[role="primary"] {{
    background: {accent}; color: {on_accent}; border-color: {accent}; font-weight: 600;
}}
QPushButton[role="primary"]:hover {{ background: {accent_hover}; }}
QPushButton[role="primary"]:focus {{ border-color: {text}; }}
QPushButton[role="primary"]:disabled {{
    color: {faint}; background: {panel}; border-color: {border};
}}
QPushButton[role="small"], QComboBox[role="small"] {{ min-height: 22px; max-height: 22px; }}
QComboBox::drop-down {{ border: none; width: 28px; }}
QComboBox QAbstractItemView {{
    background: {raised}; border: 1px solid {border}; padding: 4px; outline: none;
    selection-background-color: {hover}; selection-color: {text};
}}

QSlider {{ min-height: 22px; }}
QSlider::groove:horizontal {{ height: 4px; background: {border}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {text};
}}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: {accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {border}; }}
QSlider::handle:horizontal:disabled {{ background: {faint}; }}

QProgressBar {{ background: {panel}; border: none; }}
QProgressBar::chunk {{ background: {accent}; }}

QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {border}; border-radius: 5px; min-height: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; }}

QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {border}; }}
""".replace("{gap}", str(GAP))
