"""Compares a reconstruction with the true cameras and depths that lie beside its source."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.capture.preprocess import fit_depth
from app.errors import AppError
from app.geometry import PoseErrors, invert_se3, pose_errors
from app.reconstruction.keyframe import Keyframe
from app.sessions import is_session, read_header


@dataclass(frozen=True)
class DepthErrors:
    """Errors of depth after one scale for the whole sequence, the median of truth / estimate.

    abs_rel: mean of |estimate - truth| / truth; inliers: share of pixels whose ratio to the truth
    is within a factor of 1.25.
    """

    abs_rel: float
    inliers: float


@dataclass(frozen=True)
class Accuracy:
    """Errors of a reconstruction; depth is None where the truth has none."""

    pose: PoseErrors
    depth: DepthErrors | None


class Truth:
    """True cameras of a source: `cameras.json` with frames of c2w (and depth in millimetres)."""

    def __init__(self, file: Path) -> None:
        """Raises AppError when the file is not of that form."""
        self._folder = file.parent
        try:
            document = json.loads(file.read_text("utf-8"))
            frames = document["frames"]
            # What this program reconstructed looks alike, but its depth is not in millimetres.
            self.is_estimate = "depth_scale" in document
            self._poses = [np.array(frame["c2w"], np.float64).reshape(4, 4) for frame in frames]
            self._depths = [frame.get("depth") for frame in frames]
            # A folder of images is matched by file name, a video by the number of the frame.
            self._positions: dict[str | int, int] = {}
            for position, frame in enumerate(frames):
                self._positions[position] = position
                if "rgb" in frame:
                    self._positions[Path(frame["rgb"]).name] = position
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise AppError(f"{file} does not hold cameras in the form of cameras.json") from None

    def compare(self, keyframes: Sequence[Keyframe]) -> Accuracy:
        """Errors over the keyframes that have a true camera. Raises AppError when none has."""
        pairs = [(k, position) for k in keyframes if (position := self._find(k)) is not None]
        if not pairs:
            raise AppError(f"no keyframe has a camera in {self._folder / 'cameras.json'}")
        estimate = np.array([keyframe.extrinsic for keyframe, _ in pairs])
        poses = np.array([self._poses[position] for _, position in pairs])
        truth = invert_se3(poses[:, :3])
        depths = [(k.depth, self._depth(position, k.depth.shape)) for k, position in pairs]
        known = [(depth, true) for depth, true in depths if true is not None]
        return Accuracy(pose_errors(estimate, truth), depth_errors(known) if known else None)

    def keyframes(self, keyframes: Sequence[Keyframe]) -> list[Keyframe]:
        """Those that have a true camera, with it and the true depth; depth 0 is not known."""
        found = [(k, position) for k in keyframes if (position := self._find(k)) is not None]
        true = []
        for keyframe, position in found:
            depth = self._depth(position, keyframe.depth.shape)
            true.append(
                replace(
                    keyframe,
                    extrinsic=invert_se3(self._poses[position][:3]).astype(np.float32),
                    depth=np.zeros_like(keyframe.depth) if depth is None else depth,
                    confidence=np.ones_like(keyframe.depth),
                )
            )
        return true

    def _find(self, keyframe: Keyframe) -> int | None:
        return self._positions.get(keyframe.name, self._positions.get(keyframe.index))

    def _depth(self, position: int, size: tuple[int, ...]) -> NDArray[np.float32] | None:
        name = self._depths[position] or f"depth/{position:04d}.png"
        file = self._folder / name
        if not file.is_file():
            return None
        return read_depth(file, (size[0], size[1]))


def read_depth(file: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    """True depth [H,W] at the network's size, of an image in millimetres; 0 = not known.

    Raises AppError when it is no 16-bit image, OSError.
    """
    data = np.frombuffer(file.read_bytes(), np.uint8)
    depth: NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        raise AppError(f"{file} is not a 16-bit depth image")
    return fit_depth((depth / 1000).astype(np.float32), size)


def find_truth(source: str) -> Truth | None:
    """The truth in `cameras.json` beside a video file or image folder, if there is one; of a
    session, the truth of what was recorded. Never the cameras of a reconstruction.
    """
    if is_session(source):
        source = read_header(source).source
    file = Path(source).resolve().parent / "cameras.json"
    if not Path(source).exists() or not file.is_file():
        return None
    truth = Truth(file)
    return None if truth.is_estimate else truth


def depth_errors(
    pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> DepthErrors | None:
    """Errors over pairs of estimated and true depth [H,W]; 0 = not known. None without a pixel."""
    estimate = np.concatenate([depth.ravel() for depth, _ in pairs]).astype(np.float64)
    truth = np.concatenate([depth.ravel() for _, depth in pairs]).astype(np.float64)
    known = (truth > 0) & (estimate > 0)
    if not known.any():
        return None
    estimate, truth = estimate[known], truth[known]
    estimate *= np.median(truth / estimate)
    ratio = np.maximum(estimate / truth, truth / estimate)
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(estimate - truth) / truth)),
        inliers=float(np.mean(ratio < 1.25)),
    )
