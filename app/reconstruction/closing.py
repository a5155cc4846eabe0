"""Looks for loops as keyframes come, and moves all keyframes to fit those that it finds."""

from collections.abc import Sequence

import numpy as np

from app.geometry import invert_se3, rotation_angle, to_homogeneous
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.loops import Loop, View, verify_loop
from app.reconstruction.places import Place, describe, similar
from app.reconstruction.pose_graph import Edge, Node, optimize

# Older keyframes that look most like a new one are verified, so many of them.
_CANDIDATES = 3
# Nearer neighbours tell nothing that their windows do not.
_GAP = 4
_WEIGHT = 0.5
# What windows may have drifted in a number of steps (radians) and on a path (in its length), each
# above what is always allowed (radians, median depths), and at most. Measured on photographs:
# up to 2 degrees a step, 25 in all, a third of the path, a factor of 2.
_DRIFT_ANGLE, _DRIFT_ANGLE_STEP, _DRIFT_ANGLE_MOST = np.radians([20.0, 2.0, 60.0])
_DRIFT_SHIFT, _DRIFT_SHIFT_PATH = 0.5, 0.3
_DRIFT_LOG_SCALE = 1.1
# Less than that (of the pose, or relative to depth) nobody sees: less than half a cell of the fused
# cloud. With every keyframe that moves, its points must be made anew.
_MOVED = 2e-3


class LoopCloser:
    """The graph of the keyframes: neighbours as the windows joined them, and loops."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._log_scales: list[float] = []
        self._steps: list[Edge] = []
        self._loops: list[Edge] = []

    def extend(self, keyframes: Sequence[Keyframe], start: int) -> tuple[int, list[int]]:
        """Take in that keyframes from position `start` on are new or changed.

        Where this closes loops, poses and depth of all keyframes are set anew. Returns how many
        loops, and the positions of what moved.
        """
        fresh = range(len(self._places), len(keyframes))
        self._places += [describe(keyframes[position].image) for position in fresh]
        # A window is joined at the scale of the keyframes that it shares.
        scale = self._log_scales[-1] if self._log_scales else 0.0
        self._log_scales += [scale] * len(fresh)
        del self._steps[max(0, start - 1) :]
        for first in range(len(self._steps), len(keyframes) - 1):
            self._steps.append(self._step(keyframes, first))
        found = [edge for position in fresh for edge in self._find(keyframes, position)]
        if not found:
            return 0, []
        self._loops += found
        return len(found), self._settle(keyframes)

    def _step(self, keyframes: Sequence[Keyframe], first: int) -> Edge:
        a, b = (keyframes[k].extrinsic.astype(np.float64) for k in (first, first + 1))
        relative = b @ to_homogeneous(invert_se3(a))
        return Edge(
            first,
            first + 1,
            relative[:, :3],
            relative[:, 3] / np.exp(self._log_scales[first]),
            self._log_scales[first + 1] - self._log_scales[first],
        )

    def _find(self, keyframes: Sequence[Keyframe], position: int) -> list[Edge]:
        older = self._places[: max(0, position - _GAP + 1)]
        edges = []
        for candidate in similar(self._places[position], older, _CANDIDATES):
            loop = verify_loop(
                View(keyframes[candidate], self._places[candidate]),
                View(keyframes[position], self._places[position]),
            )
            if loop and _plausible(keyframes[candidate : position + 1], loop):
                first, second = self._log_scales[candidate], self._log_scales[position]
                edges.append(
                    Edge(
                        candidate,
                        position,
                        loop.rotation,
                        loop.translation / np.exp(first),
                        second - first + loop.log_ratio,
                        _WEIGHT,
                        robust=True,
                    )
                )
        return edges

    def _settle(self, keyframes: Sequence[Keyframe]) -> list[int]:
        poses = [invert_se3(keyframe.extrinsic.astype(np.float64)) for keyframe in keyframes]
        nodes = [
            Node(pose[:, :3], pose[:, 3], scale)
            for pose, scale in zip(poses, self._log_scales, strict=True)
        ]
        moved = []
        for position, node in enumerate(optimize(nodes, self._steps + self._loops)):
            keyframe, old = keyframes[position], poses[position]
            factor = np.exp(node.log_scale - self._log_scales[position])
            pose = np.column_stack([node.rotation, node.centre])
            reach = float(np.median(keyframe.depth))
            shift = np.abs(pose - old) / [1, 1, 1, reach]
            if max(shift.max(), abs(factor - 1)) < _MOVED:
                continue
            keyframe.extrinsic = invert_se3(pose).astype(np.float32)
            keyframe.depth = keyframe.depth * np.float32(factor)
            self._log_scales[position] = node.log_scale
            moved.append(position)
        return moved


def _plausible(chain: Sequence[Keyframe], loop: Loop) -> bool:
    """Whether drift along the keyframes from the loop's first to its second explains it.

    Two places that are alike in everything differ in where they are.
    """
    poses = invert_se3(np.array([keyframe.extrinsic for keyframe in chain], np.float64))
    first, second = poses[0], poses[-1]
    turn = rotation_angle(second[:, :3] @ loop.rotation @ first[:, :3].T)
    centre = first[:, 3] - first[:, :3] @ loop.rotation.T @ loop.translation
    shift = np.linalg.norm(second[:, 3] - centre)
    path = np.linalg.norm(np.diff(poses[:, :, 3], axis=0), axis=1).sum()
    angle = min(_DRIFT_ANGLE + _DRIFT_ANGLE_STEP * (len(chain) - 1), _DRIFT_ANGLE_MOST)
    reach = float(np.median(chain[0].depth))
    return bool(
        turn < angle
        and shift < _DRIFT_SHIFT * reach + _DRIFT_SHIFT_PATH * path
        and abs(loop.log_ratio) < _DRIFT_LOG_SCALE
    )
