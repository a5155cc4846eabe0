"""The look of the tools, in the colours of the theme that is on."""

from PySide6.QtWidgets import QWidget

from app.ui import style

_SHEET = """
QToolButton {{
    background: transparent; color: {muted}; border: 1px solid transparent; border-radius: 4px;
    padding: 0 6px; min-height: 22px; max-height: 22px;
}}
QToolButton:hover {{ background: {hover}; color: {text}; }}
QToolButton:checked {{ background: {raised}; color: {text}; border-color: {border}; }}
QToolBar {{ background: transparent; border: none; spacing: 2px; padding: 0 8px; }}
QToolButton#qt_toolbar_ext_button {{ padding: 0; color: {text}; font-weight: 600; }}
QToolBar::separator {{ background: {border}; width: 1px; margin: 3px 4px; }}
QToolButton:focus {{ border-color: {accent}; }}
QToolButton:disabled {{ color: {faint}; background: transparent; }}
QToolButton[popupMode="2"] {{ padding-right: 18px; }}
QToolButton::menu-indicator {{
    subcontrol-origin: border; subcontrol-position: center right; right: 5px; width: 8px;
}}
QFrame[role="float"] {{ background: {panel}; border: 1px solid {border}; border-radius: 6px; }}
QFrame[role="drawer"] {{ background: {panel}; border: none; border-left: 1px solid {border}; }}
QFrame[role="divider"] {{ background: {border}; border: none; }}
QLabel[role="measure"] {{
    background: {panel}; color: {text}; border: 1px solid {accent}; border-radius: 4px;
    padding: 1px 5px;
}}
QCheckBox::indicator {{
    width: 12px; height: 12px; border: 1px solid {muted}; border-radius: 3px; background: {raised};
}}
QCheckBox::indicator:checked {{ background: {accent}; border-color: {accent}; }}
QListWidget {{ background: {panel}; border: none; outline: none; }}
QListWidget::item {{ padding: 2px; border-radius: 4px; color: {text}; }}
QListWidget::item:hover {{ background: {raised}; }}
QListWidget::item:selected {{ background: {hover}; color: {text}; }}
QFrame[role="float"] QLineEdit, QFrame[role="drawer"] QLineEdit, QDoubleSpinBox {{
    background: {raised}; border: 1px solid {border}; border-radius: 4px; padding: 0 6px;
    min-height: 22px; max-height: 22px; selection-background-color: {accent};
}}
QFrame[role="float"] QLineEdit:focus, QFrame[role="drawer"] QLineEdit:focus, QDoubleSpinBox:focus {{
    border-color: {accent};
}}
QPushButton[role="small"], QComboBox[role="small"] {{
    padding: 0 8px; min-height: 22px; max-height: 22px;
}}
QComboBox[role="small"]::drop-down {{ width: 16px; }}
"""


def tool_sheet() -> str:
    """The style sheet of tools."""
    names = ("muted", "hover", "text", "raised", "border", "accent", "faint", "panel")
    return _SHEET.format(**{name: getattr(style, name.upper()) for name in names})


def wear(widget: QWidget) -> None:
    """Give a widget and what is in it the look of tools, as it is now."""
    sheet = tool_sheet()
    if widget.styleSheet() != sheet:
        widget.setStyleSheet(sheet)
