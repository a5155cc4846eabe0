"""What people are used to: menus with keys, themes, settings that stay, a second language."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton

from app.ui import style
from app.ui.choices import Choice
from app.ui.dialogs import Dialog
from app.ui.dropping import Dropped, GatheredImages, understand
from app.ui.faults import FAULTS
from app.ui.languages import TRANSLATIONS, use_language
from app.ui.main_window import MainWindow
from app.ui.settings import Settings
from app.ui.texts import tr
from app.ui.timeline import Timeline
from tests.app.ui.waiting import wait

UI = Path(style.__file__).parent
THEMES = {"dark": style.DARK, "light": style.LIGHT}


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, 1 to 21."""

    def luminance(color: str) -> float:
        channels = QColor(color).getRgbF()[:3]  # type: ignore[index]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_on_every_ground(name: str) -> None:
    theme = THEMES[name]
    pairs = [
        (text, ground)
        for text in (theme.text, theme.muted)
        for ground in (theme.background, theme.panel, theme.raised, theme.hover)
    ]
    pairs += [(theme.on_accent, theme.accent), (theme.on_accent, theme.accent_hover)]
    pairs += [(theme.text, theme.error_panel), (theme.error, theme.error_panel)]
    pairs += [(theme.error, theme.panel), (theme.good, theme.background)]
    pairs += [(theme.muted, theme.view_top), (theme.muted, theme.view_bottom)]
    assert {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < 4.5} == {}


@pytest.fixture
def window(driver: Any) -> Iterator[MainWindow]:
    yield driver.window
    style.apply(QApplication.instance(), style.DARK)  # type: ignore[arg-type]


def test_the_theme_changes_at_once(window: MainWindow) -> None:
    for name, theme in THEMES.items():
        window.actions_[f"theme.{name}"].trigger()
        picture = window.grab().toImage()
        assert picture.pixelColor(3, window._bar.geometry().center().y()) == QColor(theme.panel)
        assert window.settings.get("theme", "") == name


def texts(widget: Any, kind: Any = QLabel) -> list[str]:
    return [child.text() for child in widget.findChildren(kind)]


def open_dialog(window: MainWindow, name: str) -> Dialog:
    window.actions_[name].trigger()
    QApplication.processEvents()
    return next(d for d in window.findChildren(Dialog) if d.isVisible())


def test_every_shortcut_is_there_once_and_on_the_sheet(window: MainWindow) -> None:
    def actions(menu: QMenu) -> Iterator[Any]:
        for action in menu.actions():
            yield from actions(action.menu()) if action.menu() else [action]  # type: ignore[arg-type]

    keys: list[str] = []
    shown = texts(sheet := open_dialog(window, "shortcuts"))
    for entry in window.menuBar().actions():
        for action in actions(entry.menu()):  # type: ignore[arg-type]
            names = [
                key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()
            ]
            keys += names
            if names:
                assert action.text().rstrip("…") in shown
                assert set(names) <= set(shown)
                assert action.toolTip()
    assert {"Space", "Ctrl+E", "Ctrl+O", "R", "[", "]", "?"} <= set(keys)
    assert len(keys) == len(set(keys))
    sheet.accept()


def test_a_key_does_what_its_entry_does(window: MainWindow) -> None:
    before = window.view.point_size.value
    QTest.keyClick(window, "]")
    assert window.view.point_size.value == before + 1
    QTest.keyClick(window, "?")
    QApplication.processEvents()
    (sheet,) = (d for d in window.findChildren(Dialog) if d.isVisible())
    assert sheet.windowTitle() == "Keyboard shortcuts"
    sheet.accept()


def test_buttons_say_the_key_of_their_entry(window: MainWindow) -> None:
    tips = {b.text(): b.toolTip() for b in window._bar.findChildren(QPushButton)}
    assert tips["Pause"].endswith("(Space)")
    assert "Ctrl+I" in tips["Model details…"]


def test_settings_stay(qt: QApplication, walk: Path, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "window.ini"
    sources = [Choice("one", "1"), Choice("walk", str(walk))]
    first = MainWindow(sources, [], settings=Settings(file))
    first.resize(1100, 700)
    first.show()
    first.sources.setCurrentIndex(1)
    first.view.confidence.slider.setValue(55)
    first.view.point_size.slider.setValue(5)
    first.actions_["images"].trigger()
    first.actions_["theme.light"].trigger()
    first.close()
    second = MainWindow(sources, [], settings=Settings(file))
    assert second.sources.choice == sources[1]
    assert (second.view.confidence.value, second.view.point_size.value) == (55, 5)
    assert not second.actions_["images"].isChecked()
    assert style.theme() is style.LIGHT
    assert second.height() == 700  # the screen of the tests is narrower than the window
    second.close()
    style.apply(qt, style.DARK)


def test_damaged_settings_are_defaults(qt: QApplication, tmp_path: Path) -> None:
    file = tmp_path / "window.ini"
    file.write_text("[General]\nviews=many\nconfidence=x\ntheme=pink\nlanguage=tlh\nsource=/gone\n")
    window = MainWindow([Choice("one", "1")], [], settings=Settings(file))
    assert window.plan.wanted_views == 4
    assert window.sources.choice == Choice("one", "1")
    assert window.actions_["theme.system"].isChecked()
    window.close()


def test_settings_where_nothing_can_be_written(qt: QApplication, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(tmp_path / "file" / "window.ini")
    MainWindow([], [], settings=settings).close()


def test_the_language_is_changed_by_a_new_window(window: MainWindow, driver: Any) -> None:
    window.actions_["language.de"].trigger()
    assert window.reopen
    assert not window.isVisible()
    assert window.settings.get("language", "") == "de"


def test_text_takes_the_colours_of_a_theme_that_is_switched_on(window: MainWindow) -> None:
    """Labels without a look of their own, too: they follow the palette."""
    for name in ("light", "dark"):
        window.actions_[f"theme.{name}"].trigger()
        QApplication.processEvents()
        label = window.status._state
        color = label.palette().color(label.foregroundRole())
        assert color.name() == style.TEXT


def test_a_scene_is_not_lost_to_another_language(window: MainWindow, driver: Any) -> None:
    driver.run()
    window.actions_["language.de"].trigger()
    assert not window.reopen
    assert window.isVisible()


def test_what_is_dropped_becomes_source_or_model(window: MainWindow, walk: Path) -> None:
    bundle = Path(window.models.choice.value)  # type: ignore[union-attr]
    window.opener.open_paths([walk])
    assert window.sources.choice.value == str(walk)  # type: ignore[union-attr]
    window.opener.open_paths([bundle / "manifest.json"])
    assert window.models.choice.value == str(bundle)  # type: ignore[union-attr]
    images = sorted(walk.iterdir())[2:5]
    window.opener.open_paths(images)
    folder = Path(window.sources.choice.value)  # type: ignore[union-attr]
    assert [f.read_bytes() for f in sorted(folder.iterdir())] == [f.read_bytes() for f in images]
    assert not window.view.banner.isVisible()
    window.opener.open_paths([bundle / "model.pte"])
    assert window.view.banner.isVisible()
    assert "model.pte is neither" in window.view.banner._text.text()
    assert window.sources.choice.value == str(folder)  # type: ignore[union-attr]


def test_what_is_not_understood_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    movie = tmp_path / "a.MP4"
    movie.touch()
    assert understand([movie]) == Dropped("source", movie)
    assert understand([tmp_path / "b.zip"]) == Dropped("model", tmp_path / "b.zip")
    for paths in ([], [tmp_path / "empty"], [movie, movie], [tmp_path / "c.txt"]):
        answer = understand(paths)
        assert isinstance(answer, str)
        assert answer.endswith(".")


def test_gathered_images_go_when_nobody_needs_them(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "z.png")
    gathered = GatheredImages([tmp_path / "z.png"])
    folder = Path(gathered.choice.value)
    assert len(list(folder.iterdir())) == 1
    del gathered
    assert not folder.exists()
    assert (tmp_path / "z.png").exists()


def test_a_timeline_goes_from_keyframe_to_keyframe(qt: QApplication) -> None:
    timeline = Timeline()
    sought: list[int] = []
    timeline.sought.connect(sought.append)
    timeline.show_recording([0.5 * n for n in range(300)], [0, 7, 120, 299])
    before, after = timeline.findChildren(QPushButton)
    for button in (after, after, before, after, after, after):
        button.click()
    assert sought == [7, 120, 7, 120, 299]
    assert "Frame 300 of 300, 2:29.5, keyframe" in texts(timeline)
    timeline.set_position(3)
    before.click()
    assert sought[-1] == 0
    timeline.clear()
    after.click()
    assert len(sought) == 6


def literals() -> set[str]:
    """Every text that is given to tr in the window's code."""
    found = set()
    for file in UI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr":
                (text,) = node.args
                assert isinstance(text, ast.Constant), f"{file.name}:{node.lineno} is no literal"
                found.add(text.value)
    return found


def german() -> dict[str, str]:
    root = ElementTree.parse(TRANSLATIONS / "pocket_vggt_de.ts").getroot()
    return {
        str(message.findtext("source")): message.findtext("translation") or ""
        for message in root.iter("message")
        if message.find("translation").get("type") is None  # type: ignore[union-attr]
    }


def test_every_text_has_its_german() -> None:
    assert (
        sorted((literals() | {*FAULTS}) - {text for text, other in german().items() if other}) == []
    )


def test_translations_fill_in_the_same_parts() -> None:
    def parts(text: str) -> list[str]:
        return sorted(str(name) for _, name, _, _ in string.Formatter().parse(text) if name)

    for text, other in german().items():
        assert parts(text) == parts(other), text
        assert text.endswith("…") == other.endswith("…"), text
        assert not re.search(r"\b(Sie|Ihre?[mnrs]?)\b", other.removeprefix("Sie")), other


def test_the_compiled_translation_is_that_of_the_texts(tmp_path: Path) -> None:
    tool = Path(sys.executable).with_name("pyside6-lrelease")
    made = tmp_path / "made.qm"
    source = TRANSLATIONS / "pocket_vggt_de.ts"
    subprocess.run([tool, source, "-qm", made], check=True, capture_output=True)
    assert made.read_bytes() == source.with_suffix(".qm").read_bytes()


def test_a_german_window(qt: QApplication) -> None:
    use_language(qt, "de")
    try:
        assert tr("Open video…") == "Video öffnen …"
        window = MainWindow([Choice("x", "1")], [])
        titles = [action.text() for action in window.menuBar().actions()]
        assert titles == ["&Datei", "&Aufnahme", "&Ansicht", "&Werkzeuge", "&Hilfe"]
        assert "Noch kein Modell" in texts(window)
        window.close()
    finally:
        use_language(qt, "en")
    assert tr("Open video…") == "Open video…"


def test_a_run_that_will_not_fit_is_not_started_unasked(window: MainWindow, driver: Any) -> None:
    while window.plan.bundle is None:
        wait(5)
    window.plan.refresh = lambda: None  # type: ignore[method-assign]
    window.plan.forecasts = [replace(f, fits=f.views < 4) for f in window.plan.forecasts]
    window.start()
    assert window.is_idle
    assert window.view.hint is not None
    assert "This will not fit into memory" in texts(window.view.hint)
    (better,) = (b for b in window.view.hint.findChildren(QPushButton) if "2 views" in b.text())
    better.click()
    driver.wait_for_end()
    assert window.plan.views == 2
    assert window.failure == ""
    assert len(window.view.scene.scene.keyframes) == 8


def test_a_run_is_remembered_for_the_next_forecast(window: MainWindow, driver: Any) -> None:
    while "SHA" not in str(window.plan.sections()[-2:]) and window.plan._check.error is None:
        wait(5)
    assert "(estimate)" in window._bar.forecast
    driver.run()
    assert "123 MiB, 0.03 s a view (measured here)" in window._bar.forecast
    facts = texts(dialog := open_dialog(window, "model"))
    assert "toy" in facts
    assert "all files match their SHA-256" in facts
    dialog.accept()


def test_a_damaged_model_is_told_before_the_run(window: MainWindow, tmp_path: Path) -> None:
    bundle = Path(window.models.choice.value)  # type: ignore[union-attr]
    (bundle / "model.pte").write_bytes(b"not a Program")
    window._look_at_model()
    while not window.plan._check.error:
        wait(5)
    assert window._bar.forecast.startswith("model.pte does not match its SHA-256")


def test_a_large_model_is_checked_while_the_window_answers(
    window: MainWindow, tmp_path: Path
) -> None:
    bundle = Path(window.models.choice.value)  # type: ignore[union-attr]
    with (bundle / "model.pte").open("wb") as file:
        file.truncate(2**31)
    manifest = (bundle / "manifest.json").read_text().replace('"bytes": 13', f'"bytes": {2**31}')
    (bundle / "manifest.json").write_text(manifest)
    seen: list[int] = []
    window.plan._check.progress.connect(seen.append)
    window._look_at_model()
    while len(seen) < 2:
        wait(5)
    assert "checking its files" in window._bar.forecast
    assert seen == sorted(seen)
    window.close()  # ends the check: 2 GiB are not read to their end
    assert seen[-1] < 100


def test_an_export_can_be_cancelled(window: MainWindow, driver: Any, tmp_path: Path) -> None:
    driver.run()
    done: list[str] = []
    window.exporter.ended.connect(done.append)
    window.exporter._stop.set()
    window.exporter._stop.clear = lambda: None  # type: ignore[method-assign]
    window.export("npz", tmp_path / "scene.npz")
    while not done:
        wait(5)
    assert "cancelled" in done[0]
    assert list(tmp_path.glob("*.npz")) == []
    assert window.actions_["export"].isEnabled()
