"""Labels that fit, and the status bar."""

from PySide6.QtWidgets import QApplication, QWidget

from app.ui import style
from app.ui.panels import STATE_WIDTH, ElidedLabel, StatusBar


def test_a_label_without_room_ends_after_a_whole_fact(qt: QApplication) -> None:
    text, shown = (
        ElidedLabel(by_facts=True),
        "Needs 599 MiB, 2,1 s a view (estimate); 1.3 GiB are free",
    )
    text.setText(shown)
    room = text.fontMetrics().horizontalAdvance
    for width, fitting in (
        (room(shown), shown),
        (room(shown) - 1, "Needs 599 MiB, 2,1 s a view (estimate); …"),
        (room("Needs 599 MiB, 2,1 s a"), "Needs 599 MiB, …"),
    ):
        text.resize(width, 20)
        assert text.fitting == fitting
    text.resize(room("Needs 599"), 20)
    assert text.fitting.startswith("Needs")
    assert text.toolTip() == text.text()


def test_the_status_bar_leaves_out_what_it_has_no_room_for(qt: QApplication) -> None:
    bar = StatusBar({name: (name, "", "0,000,000") for name in ("one", "two")})
    one, two = bar._boxes
    window = QWidget()
    bar.setParent(window)
    window.show()
    tight = STATE_WIDTH + 6 * style.GAP + one.sizeHint().width() + two.sizeHint().width()
    bar.resize(tight, bar.height())
    assert one.isVisible()
    assert two.isVisible()
    bar.offer_cancel(lambda: None)
    assert not two.isVisible(), "the button takes the room"
    bar.offer_cancel(None)
    assert two.isVisible()
    window.close()
