import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgq.data import DataError, open_shards, shards, write_shards
from fgq.data.scenes import render_scene

SIZE = (28, 42)


def fake_scene(seed: int, views: int, size: tuple[int, int]) -> shards.Arrays:
    clip = {
        "images": np.full((views, *size, 3), seed % 256),
        "depth": np.full((views, *size), seed + np.arange(views)[:, None, None]),
        "extrinsic": np.full((views, 3, 4), seed),
        "intrinsic": np.full((views, 3, 3), seed),
        "overlap": np.arange(views * views).reshape(views, views),
    }
    return {name: clip[name].astype(kind) for name, kind in shards.FIELDS.items()}


Rendered = tuple[shards.Arrays, float]


class InProcess:
    """Stands in for the pool of workers."""

    def imap(self, render: Callable[[int], Rendered], seeds: range) -> Iterator[Rendered]:
        return map(render, seeds)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds rendered so far, in place of real rendering."""
    seeds: list[int] = []

    def render(seed: int, views: int, size: tuple[int, int]) -> Rendered:
        seeds.append(seed)
        return fake_scene(seed, views, size), 0.1

    @contextmanager
    def workers(processes: int) -> Iterator[InProcess]:
        yield InProcess()

    monkeypatch.setattr(shards, "_render", render)
    monkeypatch.setattr(shards, "_workers", workers)
    return seeds


def test_a_worker_process_renders_what_render_scene_renders(tmp_path: Path) -> None:
    write_shards(tmp_path, range(5, 7), views=2, size=SIZE, processes=1)
    scene = open_shards(tmp_path).scene(1)
    clip = render_scene(6, views=2, size=SIZE)
    np.testing.assert_array_equal(scene["images"], clip.images)
    np.testing.assert_array_equal(scene["depth"], clip.depth.astype(np.float16))
    np.testing.assert_array_equal(scene["extrinsic"], clip.extrinsic)
    np.testing.assert_array_equal(scene["intrinsic"], clip.intrinsic)


def test_rendering_goes_on_where_it_stopped(
    tmp_path: Path, rendered: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    write_shards(tmp_path, range(4), views=2, size=SIZE, scenes_per_shard=2)
    rendered.clear()
    write_shards(tmp_path, range(7), views=2, size=SIZE, scenes_per_shard=2)
    assert rendered == [4, 5, 6]
    assert "100 ms of one core each" in capsys.readouterr().err
    data = open_shards(tmp_path)
    assert [int(data.scene(i)["intrinsic"][0, 0, 0]) for i in range(len(data))] == list(range(7))


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), RuntimeError("broken")])
def test_an_interrupted_shard_does_not_appear(
    tmp_path: Path, rendered: list[int], monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def render(seed: int, **settings: Any) -> Rendered:
        if seed == 3:
            raise fault
        return fake_scene(seed, **settings), 0.1

    monkeypatch.setattr(shards, "_render", render)
    with pytest.raises(type(fault)):
        write_shards(tmp_path, range(4), views=2, size=SIZE, scenes_per_shard=2)
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000000"]


def test_full_disk_is_one_clear_error(
    tmp_path: Path, rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shards, "_write_shard", full)
    with pytest.raises(DataError, match="full"):
        write_shards(tmp_path, range(2), views=2, size=SIZE)


def test_other_settings_are_refused(tmp_path: Path, rendered: list[int]) -> None:
    write_shards(tmp_path, range(2), views=2, size=SIZE)
    with pytest.raises(DataError, match="other settings"):
        write_shards(tmp_path, range(2), views=3, size=SIZE)


def test_scene_selects_views_in_order(tmp_path: Path, rendered: list[int]) -> None:
    write_shards(tmp_path, range(3), views=4, size=SIZE)
    scene = open_shards(tmp_path).scene(2, [3, 1])
    assert scene["images"].shape == (2, *SIZE, 3)
    assert scene["depth"].dtype == np.float32
    assert scene["depth"][:, 0, 0].tolist() == [5, 3]
    assert scene["overlap"].tolist() == [[15, 13], [7, 5]]


def test_sample_is_a_batch_of_distinct_views(tmp_path: Path, rendered: list[int]) -> None:
    write_shards(tmp_path, range(5), views=4, size=SIZE, scenes_per_shard=2)
    data = open_shards(tmp_path)
    batch = data.sample(np.random.default_rng(0), scenes=6, views=3)
    assert batch["images"].shape == (6, 3, *SIZE, 3)
    assert batch["extrinsic"].shape == (6, 3, 3, 4)
    view = batch["depth"][:, :, 0, 0] - batch["extrinsic"][:, :, 0, 0]
    assert all(len(set(row)) == 3 for row in view.tolist())
    again = data.sample(np.random.default_rng(0), scenes=6, views=3)
    np.testing.assert_array_equal(again["depth"], batch["depth"])


def test_unusable_folders_are_refused(tmp_path: Path, rendered: list[int]) -> None:
    with pytest.raises(DataError, match="no shards"):
        open_shards(tmp_path)
    write_shards(tmp_path, range(2), views=2, size=SIZE)
    depth = tmp_path / "shard-00000000" / "depth.npy"
    depth.write_bytes(depth.read_bytes()[:200])
    with pytest.raises(DataError, match="damaged"):
        open_shards(tmp_path)


def test_sampled_views_are_covisible() -> None:
    # Two groups of views that do not see each other, and a bridge between them.
    overlap = np.eye(6, dtype=np.float32)
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)):
        overlap[i, j] = overlap[j, i] = 0.6
    overlap[0, 5] = 0.9  # one-sided: 5 does not see 0
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(60):
        views = shards.covisible_views(overlap, 3, rng)
        assert len(set(views)) == 3
        assert max(views) - min(views) == 2
        starts.add(views[0])
    assert len(starts) == 6
    assert sorted(shards.covisible_views(np.eye(4), 4, rng)) == [0, 1, 2, 3]
