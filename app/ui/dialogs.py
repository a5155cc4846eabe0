"""Dialogs to read in: the sheet of shortcuts, the model, what this program is."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.menus import key_words
from app.ui.panels import button, label, set_role
from app.ui.texts import tr


class Dialog(QDialog):
    """A title, content that scrolls where there is little room, and a button to close it."""

    def __init__(self, parent: QWidget, title: str, content: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        area = QScrollArea(widgetResizable=True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        close = button(tr("Close"), tr("Close this (Esc)"), self.accept)
        set_role(close, "primary")
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(close)
        layout = QVBoxLayout(self)
        margin = 3 * style.GAP
        layout.setContentsMargins(margin, margin, margin, 2 * style.GAP)
        layout.setSpacing(2 * style.GAP)
        layout.addWidget(label(title, "title"))
        layout.addWidget(area, stretch=1)
        layout.addLayout(row)
        room = parent.size() * 0.9
        wanted = content.sizeHint()
        self.resize(
            min(wanted.width() + 2 * margin + 16, room.width()),
            min(wanted.height() + 130, room.height()),
        )


def shortcut_sheet(parent: QWidget, groups: Sequence[tuple[str, Sequence[QAction]]]) -> Dialog:
    """All shortcuts, menu by menu in two columns; groups: as `Actions.sheet` has them."""
    content = QWidget()
    columns = QHBoxLayout(content)
    columns.setContentsMargins(0, 0, style.GAP, 0)
    columns.setSpacing(5 * style.GAP)
    half = sum(len(entries) + 2 for _, entries in groups) / 2
    filled, grids = half + 1, list[QGridLayout]()
    for title, entries in groups:
        if filled + len(entries) / 2 > half and len(grids) < 2:
            grid, filled = QGridLayout(), 0
            grid.setHorizontalSpacing(2 * style.GAP)
            grid.setVerticalSpacing(4)
            column = QVBoxLayout()
            column.addLayout(grid)
            column.addStretch()
            columns.addLayout(column)
            grids.append(grid)
        filled += len(entries) + 2
        row = grids[-1].rowCount()
        grids[-1].addWidget(label(title, "heading"), row, 0, 1, 2)
        for entry in entries:
            row += 1
            keys = QHBoxLayout()
            keys.setSpacing(4)
            for name in entry.shortcuts():
                keys.addWidget(label(key_words(name), "key"))
            keys.addStretch()
            text = label(entry.text().rstrip("…"))
            text.setToolTip(entry.toolTip())
            grids[-1].addLayout(keys, row, 0)
            grids[-1].addWidget(text, row, 1)
        grids[-1].setRowMinimumHeight(row + 1, style.GAP)
    return Dialog(parent, tr("Keyboard shortcuts"), content)


def facts_dialog(
    parent: QWidget, title: str, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]
) -> Dialog:
    """Sections of names and values; values can be selected to copy them."""
    content = QWidget()
    grid = QGridLayout(content)
    grid.setContentsMargins(0, 0, style.GAP, 0)
    grid.setHorizontalSpacing(2 * style.GAP)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(1, 1)
    row = 0
    for heading, facts in sections:
        if heading:
            grid.addWidget(label(heading, "heading"), row, 0, 1, 2)
            row += 1
        for name, value in facts:
            text = label(value)
            text.setWordWrap(True)
            text.setMinimumWidth(540)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label(name, "muted"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, row, 1, Qt.AlignmentFlag.AlignTop)
            row += 1
        grid.setRowMinimumHeight(row, style.GAP)
        row += 1
    grid.setRowStretch(row, 1)
    return Dialog(parent, title, content)


def about_dialog(parent: QWidget) -> Dialog:
    """What this program is."""
    try:
        number = version("pocket-vggt")
    except PackageNotFoundError:
        number = tr("not installed")
    facts = [
        (tr("Version"), number),
        (tr("Purpose"), tr("Cameras, depth and a point cloud from a video, live and offline")),
        (tr("Privacy"), tr("Nothing leaves this machine: the program opens no connection")),
        (tr("Built on"), "VGGT, ExecuTorch, Qt, pygfx, Open3D, OpenCV"),
    ]
    return facts_dialog(parent, tr("About Pocket VGGT"), [("", facts)])
