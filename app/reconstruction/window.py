"""Runs the network over overlapping windows of keyframes and joins them into one frame."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.capture.frame import Frame
from app.capture.preprocess import fit_image
from app.engine import Engine, Prediction
from app.errors import AppError
from app.geometry import Floats, Sim3, compose_se3, invert_se3, nearest_rotation
from app.paging import paged
from app.reconstruction.align import align_window
from app.reconstruction.closing import LoopCloser
from app.reconstruction.keyframe import Keyframe


@dataclass(frozen=True)
class WindowUpdate:
    """What one window changed: positions in `Reconstructor.keyframes`, and the time it took.

    new: keyframes that it added; changed: older ones that the network saw again, whose pose and
    depth are the mean now; views: that the network saw, in so many windows; seconds_inference: of
    the network; seconds_align: of everything else; moved: older ones, none of `changed`, whose
    camera a closed loop moved and whose depth it scaled; loops: closed by this window.
    """

    new: list[int]
    changed: list[int]
    views: int
    windows: int
    seconds_inference: float
    seconds_align: float
    moved: list[int] = field(default_factory=list)
    loops: int = 0


# Windows that a refined keyframe counts as, when the network sees it once more.
_REFINED_WEIGHT = 20


class Reconstructor:
    """Turns a stream of keyframe images into keyframes with cameras and depth.

    The global frame is the camera of the first keyframe, at the scale of the first window.
    """

    def __init__(
        self, engine: Engine, views: int = 4, overlap: int = 2, loops: bool = True
    ) -> None:
        """views: keyframes in a window; overlap: of these, shared with the window before.

        loops: recognize places seen before, and move all keyframes so that they fit.

        Raises AppError when the bundle has no program for that number of views.
        """
        counts = engine.bundle.view_counts
        if views not in counts:
            have = ", ".join(map(str, counts))
            raise AppError(f"{engine.bundle.name} takes {have} views at a time, not {views}")
        if views < 2 or not 1 <= overlap < views:
            raise AppError(
                f"windows of {views} views cannot overlap by {overlap}: at least two views and an "
                "overlap of at least one view, less than the window"
            )
        self.keyframes: list[Keyframe] = []
        self._engine = engine
        self._views = views
        self._overlap = overlap
        self._waiting: list[Frame] = []
        self._times_seen: list[int] = []
        self._closer = LoopCloser() if loops else None

    def add(self, frame: Frame) -> WindowUpdate | None:
        """Take a keyframe image of any size; returns an update when a window was full and ran.

        Raises EngineError; the keyframe is kept, so that the next call or `finish` tries again.
        """
        self._waiting.append(
            Frame(frame.index, frame.time, fit_image(frame.image, self.size), frame.name)
        )
        shared = min(self._overlap, len(self.keyframes))
        if shared + len(self._waiting) < self._views:
            return None
        return self._run(self._views)

    def finish(self) -> WindowUpdate | None:
        """Run what is left, a window that is not full. Raises EngineError."""
        update = None
        while self._waiting:
            total = len(self.keyframes) + len(self._waiting)
            # Earlier keyframes fill the window up; where even these are too few, a smaller window.
            # One view alone cannot be joined to others.
            fitting = [
                count
                for count in self._engine.bundle.view_counts
                if count <= min(total, self._views) and (count > 1 or total == 1)
            ]
            step = self._run(max(fitting, default=self._views))
            update = _join(update, step) if update else step
        return update

    def take_refined(
        self, before: Sequence[Keyframe], after: Sequence[Keyframe]
    ) -> tuple[range, range]:
        """Give keyframes the relative cameras and the depth that refinement found for them.

        before: keyframes of this reconstruction in a row, as they were when their refinement
        began; after: as it left them, the first where it was. The first stays where it is now, and
        what comes after the last moves along with it. Returns the positions of both.
        """
        places = {keyframe.index: at for at, keyframe in enumerate(self.keyframes)}
        start = places[before[0].index]
        anchor = replace(self.keyframes[start])
        last = replace(self.keyframes[start + len(after) - 1])
        old_depths = [float(np.median(k.depth)) for k in self.keyframes[start:]]
        # Loops may have moved and scaled all since then.
        unit = old_depths[0] / float(np.median(before[0].depth))
        first = invert_se3(after[0].extrinsic.astype(np.float64))
        for position, refined in enumerate(after, start):
            relative = compose_se3(refined.extrinsic.astype(np.float64), first)
            relative[:, 3] *= unit
            keyframe = self.keyframes[position]
            keyframe.extrinsic = _rigid(compose_se3(relative, anchor.extrinsic))
            keyframe.depth = paged(refined.depth * np.float32(unit))
            keyframe.intrinsic = refined.intrinsic
            self._times_seen[position] = max(self._times_seen[position], _REFINED_WEIGHT)
        end = start + len(after)
        scale = float(np.median(self.keyframes[end - 1].depth) / np.median(last.depth))
        here = invert_se3(self.keyframes[end - 1].extrinsic.astype(np.float64))
        for keyframe in self.keyframes[end:]:
            relative = compose_se3(
                keyframe.extrinsic.astype(np.float64),
                invert_se3(last.extrinsic.astype(np.float64)),
            )
            relative[:, 3] *= scale
            keyframe.extrinsic = _rigid(compose_se3(relative, invert_se3(here)))
            keyframe.depth = paged(keyframe.depth * np.float32(scale))
        if self._closer:
            factors = [
                float(np.median(keyframe.depth)) / old
                for keyframe, old in zip(self.keyframes[start:], old_depths, strict=True)
            ]
            self._closer.take_refined(self.keyframes, range(start, end), factors)
        return range(start, end), range(end, len(self.keyframes))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the network's image."""
        return self._engine.bundle.size

    def _run(self, views: int) -> WindowUpdate:
        """Run one window of `views` over the newest keyframes and the first waiting ones."""
        start = time.perf_counter()
        overlap = min(self._overlap, views - 1, len(self.keyframes))
        fresh = self._waiting[: views - overlap]
        first_new = len(self.keyframes)
        first_shared = max(0, first_new - (views - len(fresh)))
        shared = self.keyframes[first_shared:]
        seen: list[Frame | Keyframe] = [*shared, *fresh]
        images = [view.image for view in seen]
        # Only a bundle without a small enough program gets here with too few: show the last again.
        images += [images[-1]] * (views - len(images))
        prediction = self._engine.infer(np.stack(images))

        window = [_keyframe(view, prediction, position) for position, view in enumerate(seen)]
        if shared:
            similarity = align_window(window[: len(shared)], shared)
            for keyframe in window:
                _move(keyframe, similarity)
            for position, again in enumerate(window[: len(shared)], first_shared):
                _refine(self.keyframes[position], again, self._times_seen[position])
                self._times_seen[position] += 1
        for keyframe in window[len(shared) :]:
            keyframe.image = paged(keyframe.image)
        self.keyframes += window[len(shared) :]
        for keyframe in self.keyframes[first_shared:]:
            keyframe.depth = paged(keyframe.depth)
            keyframe.confidence = paged(keyframe.confidence)
        self._times_seen += [1] * len(fresh)
        del self._waiting[: len(fresh)]
        loops, moved = 0, list[int]()
        if self._closer:
            loops, moved = self._closer.extend(self.keyframes, first_shared)
        seconds = time.perf_counter() - start
        return WindowUpdate(
            new=list(range(first_new, len(self.keyframes))),
            changed=list(range(first_shared, first_new)),
            views=views,
            windows=1,
            seconds_inference=prediction.seconds,
            seconds_align=seconds - prediction.seconds,
            moved=[position for position in moved if position < first_shared],
            loops=loops,
        )


def _keyframe(view: Frame | Keyframe, prediction: Prediction, position: int) -> Keyframe:
    """A view with what the network says about it, in the window's frame."""
    return Keyframe(
        index=view.index,
        time=view.time,
        name=view.name,
        image=view.image,
        extrinsic=prediction.extrinsic[position],
        intrinsic=prediction.intrinsic[position],
        depth=prediction.depth[position],
        confidence=prediction.confidence[position],
    )


def _move(keyframe: Keyframe, similarity: Sim3) -> None:
    """Take a keyframe from the window's frame to the global one."""
    keyframe.extrinsic = similarity.move_extrinsic(keyframe.extrinsic).astype(np.float32)
    keyframe.depth = keyframe.depth * np.float32(similarity.scale)


def _refine(keyframe: Keyframe, again: Keyframe, times: int) -> None:
    """Average a keyframe, which is the mean of so many windows, with what one more says."""
    share = 1 / (times + 1)
    pose, other = (invert_se3(view.extrinsic.astype(np.float64)) for view in (keyframe, again))
    mean = (1 - share) * pose + share * other
    mean[:, :3] = nearest_rotation(mean[:, :3])
    keyframe.extrinsic = invert_se3(mean).astype(np.float32)
    # Depth errors are factors: their mean is that of the logarithms.
    keyframe.depth = keyframe.depth ** np.float32(1 - share) * again.depth ** np.float32(share)
    keyframe.confidence = (1 - share) * keyframe.confidence + share * again.confidence
    keyframe.intrinsic = (1 - share) * keyframe.intrinsic + share * again.intrinsic


def _rigid(extrinsic: Floats) -> NDArray[np.float32]:
    """A camera [3,4] whose rotation is one again.

    Refinement takes the same keyframes again and again, relative to each other by transposes: what
    a rotation is off doubles each time, and is off by all after thirty.
    """
    extrinsic[:, :3] = nearest_rotation(extrinsic[:, :3])
    return extrinsic.astype(np.float32)


def _join(first: WindowUpdate, second: WindowUpdate) -> WindowUpdate:
    """Both updates as one."""
    new = first.new + second.new
    changed = {*first.changed, *second.changed} - {*new}
    return WindowUpdate(
        new=new,
        changed=sorted(changed),
        views=first.views + second.views,
        windows=first.windows + second.windows,
        seconds_inference=first.seconds_inference + second.seconds_inference,
        seconds_align=first.seconds_align + second.seconds_align,
        moved=sorted({*first.moved, *second.moved} - {*new} - changed),
        loops=first.loops + second.loops,
    )
