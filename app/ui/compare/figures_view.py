"""What both models take, side by side."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from app.compare import Lane
from app.compare.report_tables import SHARED, figure_groups, times
from app.ui import style
from app.ui.panels import label
from app.ui.texts import localized, tr


class FiguresView(QWidget):
    """A table: a row a figure, a column a model, and how the second relates to the first."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: dict[str, list[QLabel]] = {}
        self._heads = [label(role="heading") for _ in range(3)]
        words = _words()
        grid = QGridLayout(self)
        grid.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        grid.setHorizontalSpacing(2 * style.GAP)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        for column, head in enumerate(self._heads, 1):
            grid.addWidget(head, 0, column, Qt.AlignmentFlag.AlignRight)
        self._heads[2].setText(tr("ratio"))
        row = 1
        for heading, group in figure_groups().items():
            grid.addWidget(label(words[heading], "heading"), row, 0, 1, 4)
            row += 1
            for name, _, _ in group:
                grid.addWidget(label(words[name], "muted"), row, 0)
                self._cells[name] = [QLabel("–") for _ in range(3)]
                for column, cell in enumerate(self._cells[name], 1):
                    grid.addWidget(cell, row, column, Qt.AlignmentFlag.AlignRight)
                row += 1
        self.setToolTip(
            tr(
                "Medians over windows without the first one, which warms the model up. The models"
                " take turns. Energy is of the whole processor; n/a where the system does not tell."
            )
        )

    def clear(self) -> None:
        """Show nothing."""
        for cells in self._cells.values():
            for cell in cells:
                cell.setText("–")

    def set_names(self, names: Sequence[str]) -> None:
        """What the two models are called."""
        for head, name in zip(self._heads, names, strict=False):
            head.setText(name)

    def set_lanes(self, lanes: Sequence[Lane]) -> None:
        """Show the figures of two lanes as they are now."""
        first, second = (lane.figures() for lane in lanes[:2])
        for group in figure_groups().values():
            for name, find, write in group:
                mine, theirs = find(second), find(first)
                related = tr("shared") if name in SHARED else times(mine, theirs)
                for cell, text in zip(
                    self._cells[name],
                    map(localized, (write(theirs), write(mine), related)),
                    strict=True,
                ):
                    cell.setText(text)

    def text(self, name: str, column: int) -> str:
        """A figure as it is shown; column: 0 first model, 1 second, 2 ratio."""
        return self._cells[name][column].text()


def _words() -> dict[str, str]:
    """The names of the figures in the user's language."""
    return {
        "Network": tr("Network"),
        "Windows": tr("Windows"),
        "Views a second": tr("Views a second"),
        "A window, median": tr("A window, median"),
        "90th percentile": tr("90th percentile"),
        "99th percentile": tr("99th percentile"),
        "First window (warm-up)": tr("First window (warm-up)"),
        "Other stages of a window, median": tr("Other stages of a window, median"),
        "Reading the frame": tr("Reading the frame"),
        "Choosing it": tr("Choosing it"),
        "Joining to what is there": tr("Joining to what is there"),
        "Making points": tr("Making points"),
        "Memory and energy": tr("Memory and energy"),
        "Peak memory of the runtime": tr("Peak memory of the runtime"),
        "of it before the model": tr("of it before the model"),
        "Model file": tr("Model file"),
        "Energy a view": tr("Energy a view"),
    }
