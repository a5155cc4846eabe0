"""What the window offers: cameras, bundles, and entries that ask for more."""

import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.ui.choices import Choice, bundle_choice, find_bundles, find_sources, source_choice
from app.ui.choosers import Chooser, ModelChooser


def _bundle(folder: Path, name: str, precision: str) -> Path:
    folder.mkdir(parents=True)
    manifest = {"model": {"name": name}, "quantization": {"name": precision}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_bundles_are_found_and_named_with_4_bit_first(tmp_path: Path) -> None:
    full = _bundle(tmp_path / "a" / "full", "nano", "fp32")
    small = _bundle(tmp_path / "b" / "small", "nano", "8da4w-g32")
    broken = tmp_path / "b" / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    (tmp_path / "b" / "nothing").mkdir()
    found = find_bundles((tmp_path / "a", tmp_path / "b", tmp_path / "missing"))
    assert found == [
        Choice("nano, 4 bit", str(small)),
        Choice("nano, full precision", str(full)),
        Choice("broken", str(broken)),
    ]
    assert bundle_choice(tmp_path / "b.zip").label == "b.zip"


def test_a_camera_goes_by_its_name_or_index() -> None:
    assert source_choice("camera:Front") == Choice("Front", "camera:Front")
    assert source_choice("2") == Choice("Camera 2", "2")


def test_a_relative_path_stands_for_the_same_choice(
    qt: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _bundle(tmp_path / "nano", "nano", "fp32")
    monkeypatch.chdir(tmp_path)
    chooser = ModelChooser([bundle_choice(folder)])
    chooser.add(bundle_choice(Path("nano")))
    assert len(chooser.choices) == 1
    assert source_choice("nano/../clip.mp4") == Choice("clip.mp4", str(tmp_path / "clip.mp4"))


def test_the_demo_clip_comes_first(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert all(choice.label != "Demo clip" for choice in find_sources(clip))
    clip.touch()
    assert find_sources(clip)[0] == Choice("Demo clip", str(clip))


def test_a_chooser_keeps_its_choice_when_the_dialog_is_cancelled(qt: QApplication) -> None:
    asked: list[bool] = []
    chooser = Chooser(
        [Choice("one", "1"), Choice("two", "2")], {"Other…": lambda: asked.append(True)}, "tip"
    )
    picked: list[Choice | None] = []
    chooser.picked.connect(lambda: picked.append(chooser.choice))
    chooser.activated.emit(1)
    chooser.setCurrentIndex(3)
    chooser.activated.emit(3)
    assert asked == [True]
    chooser.add(Choice("three", "3"))
    chooser.add(Choice("one", "1"))
    assert chooser.choice == Choice("one", "1")
    assert [choice.value for choice in picked if choice][-2:] == ["3", "1"]


def test_models_of_one_name_and_precision_are_told_apart(qt: QApplication, tmp_path: Path) -> None:
    places = [tmp_path / place for place in ("a/nano", "b/nano", "c/other")]
    first, second, third = (bundle_choice(_bundle(place, "nano", "fp32")) for place in places)
    chooser = ModelChooser([first])
    assert chooser.currentText() == "nano, full precision"
    chooser.add(third)
    assert chooser.currentText() == "nano, full precision (other)"
    chooser.add(second)
    assert [choice.label for choice in chooser.choices] == [
        "nano, full precision (b/nano)",
        "nano, full precision (other)",
        "nano, full precision (a/nano)",
    ]


def test_an_empty_chooser_has_no_choice(qt: QApplication) -> None:
    chooser = Chooser([], {"Other…": lambda: None}, "tip")
    assert chooser.choice is None
    chooser.add(Choice("one", "1"))
    assert chooser.choice == Choice("one", "1")
