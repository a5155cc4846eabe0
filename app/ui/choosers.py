"""Lists to choose a source or a model from, which also ask for others."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPointF, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox, QFileDialog, QSizePolicy

from app.ui import style
from app.ui.choices import Choice, bundle_choice, source_choice, told_apart
from app.ui.dropping import VIDEO_SUFFIXES
from app.ui.texts import tr


class Dropdown(QComboBox):
    """A list to choose from, with an arrow that the style sheet cannot draw."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(style.MUTED), 1.5))
        x, y = self.width() - 16.0, self.height() / 2 + 2
        painter.drawPolyline([QPointF(x - 4, y - 4), QPointF(x, y), QPointF(x + 4, y - 4)])


class Chooser(Dropdown):
    """A list of choices, followed by entries that ask for another one."""

    picked = Signal()

    def __init__(
        self, choices: Sequence[Choice], others: dict[str, Callable[[], None]], tip: str
    ) -> None:
        """others: text of an entry -> what asks the user, and calls `add` with the answer."""
        super().__init__()
        self.setToolTip(tip)
        self.setPlaceholderText(tr("Choose…"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(14)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._others = others
        self._current = -1
        self._labels: dict[str, str] = {}
        for choice in choices:
            self._insert(self.count(), choice)
        self.insertSeparator(self.count())
        self.addItems(list(others))
        self._current = 0 if choices else -1
        self.setCurrentIndex(self._current)
        self.activated.connect(self._activate)

    @property
    def choice(self) -> Choice | None:
        """What is chosen."""
        value = self.currentData()
        return None if value is None else Choice(self.currentText(), value)

    @property
    def choices(self) -> list[Choice]:
        """What is offered."""
        texts = ((self.itemText(place), self.itemData(place)) for place in range(self.count()))
        return [Choice(text, value) for text, value in texts if value is not None]

    def add(self, choice: Choice) -> None:
        """Choose this, on top of the list if it is not in it."""
        position = self.findData(choice.value)
        if position < 0:
            position = 0
            self._insert(0, choice)
        self.setCurrentIndex(position)
        self._current = position
        self.picked.emit()

    def _insert(self, position: int, choice: Choice) -> None:
        self._labels[choice.value] = choice.label
        self.insertItem(position, choice.label, choice.value)
        offered = [Choice(self._labels[entry.value], entry.value) for entry in self.choices]
        for place, entry in enumerate(told_apart(offered)):
            self.setItemText(place, entry.label)

    def _activate(self, position: int) -> None:
        if self.itemData(position) is None:
            self.setCurrentIndex(self._current)
            self._others[self.itemText(position)]()
        else:
            self._current = position
            self.picked.emit()


class SourceChooser(Chooser):
    """Where images come from."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__(
            choices,
            {tr("Open video…"): self.ask_video, tr("Open folder of images…"): self.ask_folder},
            tr("Where the images come from"),
        )

    def ask_video(self) -> None:
        """Let the user choose a video file."""
        suffixes = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
        kinds = tr("Videos") + f" ({suffixes});;" + tr("All files") + " (*)"
        path, _ = QFileDialog.getOpenFileName(self, tr("Open video"), filter=kinds)
        if path:
            self.add(source_choice(path))

    def ask_folder(self) -> None:
        """Let the user choose a folder of images."""
        path = QFileDialog.getExistingDirectory(self, tr("Open folder of images"))
        if path:
            self.add(source_choice(path))


class ModelChooser(Chooser):
    """Which bundle reconstructs."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__(
            choices,
            {tr("Open bundle…"): self.ask_bundle},
            tr("The network that reconstructs, in 4 bit or in full precision"),
        )

    def ask_bundle(self) -> None:
        """Let the user choose a bundle by its manifest.json or its zip."""
        if choice := self._ask():
            self.add(choice)

    def ask_other(self) -> Choice | None:
        """The same for a second model: it is offered, and the first one stays."""
        choice = self._ask()
        if choice and self.findData(choice.value) < 0:
            self._insert(len(self.choices), choice)
        return choice

    def _ask(self) -> Choice | None:
        kinds = tr("Model bundles") + " (manifest.json *.zip)"
        path, _ = QFileDialog.getOpenFileName(self, tr("Open bundle"), filter=kinds)
        return bundle_choice(Path(path)) if path else None
