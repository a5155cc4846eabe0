"""Rendered scenes on disk: folders of .npy arrays that are read as memory maps.

A data set is a folder of shards `shard-<first seed>`, each with images.npy uint8 [N, S, H, W, 3],
depth.npy float16 [N, S, H, W], extrinsic.npy float32 [N, S, 3, 4], intrinsic.npy float32
[N, S, 3, 3], overlap.npy float32 [N, S, S] (as in SceneClip) and meta.json. A shard gets its name
when it is complete, so rendering goes on after an interruption where it stopped.
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgq.data.errors import DataError

FORMAT = "pocket-vggt-scenes"
RENDERER_VERSION = 5  # goes up whenever a seed renders to other bytes
MIN_SHARED = 0.25  # of the pixels, for two views to tell something of each other
FIELDS = {
    "images": np.uint8,
    "depth": np.float16,
    "extrinsic": np.float32,
    "intrinsic": np.float32,
    "overlap": np.float32,
}
Arrays = dict[str, NDArray[Any]]


def write_shards(
    out_dir: Path,
    seeds: Sequence[int],
    views: int = 8,
    size: tuple[int, int] = (168, 224),
    processes: int = 1,
    scenes_per_shard: int = 250,
) -> None:
    """Renders the scenes of consecutive seeds into shards; those that exist are left alone.

    size is (H, W). Every process uses one thread. Raises DataError if out_dir holds another data
    set or the disk is full.
    """
    from tqdm import tqdm

    if len(seeds) == 0 or list(seeds) != list(range(seeds[0], seeds[0] + len(seeds))):
        raise DataError("seeds must be consecutive and at least one")
    groups = [seeds[i : i + scenes_per_shard] for i in range(0, len(seeds), scenes_per_shard)]
    missing = []
    for group in groups:
        meta = _meta(group, views, size)
        folder = out_dir / f"shard-{group[0]:08d}"
        if not folder.exists():
            missing.append((folder, meta, group))
        elif json.loads((folder / "meta.json").read_text()) != meta:
            raise DataError(f"{folder} was rendered with other settings; choose another --out")
    done = len(seeds) - sum(len(group) for _, _, group in missing)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        with _workers(processes) as pool, tqdm(total=len(seeds), initial=done, unit="scene") as bar:
            for folder, meta, group in missing:
                clips = pool.imap(partial(_render, views=views, size=size), group)
                _write_shard(folder, meta, _counted(clips, bar))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(
                f"the disk of {out_dir} is full; free some space and run again"
            ) from None
        raise


def _counted(clips: Iterator[tuple[Arrays, float]], bar: Any) -> Iterator[Arrays]:
    """The bar ends with the median of what a scene costs: the first of a process draws textures."""
    costs = []
    for clip, seconds in clips:
        yield clip
        costs.append(1000 * seconds)
        bar.set_postfix_str(f"{median(costs):.0f} ms of one core each", refresh=False)
        bar.update()


def _meta(group: Sequence[int], views: int, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "renderer_version": RENDERER_VERSION,
        "first_seed": group[0],
        "scenes": len(group),
        "views": views,
        "size": list(size),
    }


@contextmanager
def _workers(processes: int) -> Iterator[Any]:
    """A pool of fresh processes whose numerical libraries use one thread each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        with multiprocessing.get_context("spawn").Pool(processes, _start_worker) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)


def _render(seed: int, views: int, size: tuple[int, int]) -> tuple[Arrays, float]:
    """The scene, and the seconds of processor time that it took."""
    from fgq.data.scenes import render_scene

    start = process_time()
    clip = render_scene(seed, views, size)
    arrays = {name: getattr(clip, name).astype(kind, copy=False) for name, kind in FIELDS.items()}
    return arrays, process_time() - start


def _write_shard(folder: Path, meta: dict[str, Any], clips: Iterator[Arrays]) -> None:
    """Appends scene by scene to the arrays' files: unlike a memory map, a write to a full disk
    raises an error instead of ending the process."""
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        with ExitStack() as stack:
            files: dict[str, Any] = {}
            for clip in clips:
                for name, array in clip.items():
                    if name not in files:
                        files[name] = stack.enter_context(open(temporary / f"{name}.npy", "wb"))
                        header = {
                            "descr": np.lib.format.dtype_to_descr(array.dtype),
                            "fortran_order": False,
                            "shape": (meta["scenes"], *array.shape),
                        }
                        np.lib.format.write_array_header_1_0(files[name], header)
                    files[name].write(array.tobytes())
        (temporary / "meta.json").write_text(json.dumps(meta, indent=1))
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@dataclass(frozen=True)
class Shards:
    """All scenes of a data set. arrays: per shard, the memory maps of FIELDS by name; starts:
    index of each shard's first scene."""

    arrays: tuple[Arrays, ...]
    starts: NDArray[np.int64]
    count: int

    def __len__(self) -> int:
        return self.count

    def scene(self, index: int, views: Sequence[int] | None = None) -> Arrays:
        """One scene, or some of its views in the given order. images uint8 [S, H, W, 3]; depth
        [S, H, W], extrinsic [S, 3, 4], intrinsic [S, 3, 3] and overlap [S, S] in float32."""
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        row = index - int(self.starts[shard])
        chosen = slice(None) if views is None else list(views)
        out: Arrays = {}
        for name, array in self.arrays[shard].items():
            value = array[row][chosen]
            out[name] = value if name == "images" else value.astype(np.float32)
        if views is not None:
            out["overlap"] = out["overlap"][:, list(views)]
        return out

    def sample(self, rng: np.random.Generator, scenes: int, views: int) -> Arrays:
        """A batch: `scenes` random scenes [B] with `views` random co-visible views [S] each, as in
        `scene` with a leading axis B."""
        items = []
        for index in rng.integers(self.count, size=scenes).tolist():
            shard = int(np.searchsorted(self.starts, index, side="right")) - 1
            overlap = self.arrays[shard]["overlap"][index - int(self.starts[shard])]
            items.append(self.scene(index, covisible_views(overlap, views, rng)))
        return {name: np.stack([item[name] for item in items]) for name in FIELDS}


def covisible_views(
    overlap: NDArray[np.floating], views: int, rng: np.random.Generator
) -> list[int]:
    """Random views of a scene, each of which sees MIN_SHARED of an earlier one and is seen by it.

    overlap [S, S] as in SceneClip. Where no such view is left, the one that shares most is taken.
    """
    shared = np.minimum(overlap, overlap.T)
    chosen = [int(rng.integers(len(shared)))]
    while len(chosen) < views:
        left = [view for view in rng.permutation(len(shared)).tolist() if view not in chosen]
        best = [float(shared[view, chosen].max()) for view in left]
        enough = [view for view, share in zip(left, best, strict=True) if share >= MIN_SHARED]
        chosen.append(enough[0] if enough else left[int(np.argmax(best))])
    return chosen


def open_shards(folder: Path) -> Shards:
    """Opens every complete shard of a folder. Raises DataError if there is none, or one is damaged
    or of another kind."""
    folders = sorted(Path(folder).glob("shard-*"))
    if not folders:
        raise DataError(
            f"no shards in {folder}; make some with: python -m fgq render --out {folder}"
        )
    arrays, counts, kinds = [], [], set()
    for shard in folders:
        try:
            meta = json.loads((shard / "meta.json").read_text())
            maps = {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in FIELDS}
        except (OSError, ValueError) as error:
            raise DataError(f"{shard} is damaged ({error}); delete it and render again") from None
        if meta.get("format") != FORMAT or any(len(m) != meta["scenes"] for m in maps.values()):
            raise DataError(f"{shard} is not a shard of this project's scenes")
        kinds.add((meta["views"], *meta["size"]))
        arrays.append(maps)
        counts.append(meta["scenes"])
    if len(kinds) > 1:
        raise DataError(f"the shards in {folder} differ in views or size: {sorted(kinds)}")
    return Shards(tuple(arrays), np.cumsum([0, *counts[:-1]]), sum(counts))
