"""Looks for loops as keyframes come, and moves all keyframes to fit those that it finds."""

from collections.abc import Sequence

import numpy as np

from app.geometry import Floats, compose_se3, invert_se3, rotation_angle
from app.paging import paged
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.loops import View, verify_loop
from app.reconstruction.places import Place, describe, similar
from app.reconstruction.pose_graph import Edge, Node, optimize

# Older keyframes that look most like a new one are verified, so many of them.
_CANDIDATES = 3
# Nearer neighbours share a window. As near to one that was found, others are left out.
_GAP = 3
# Standard deviations of one step as windows join it: its turn (radians), where it leads (a part of
# its length, above a part of the depth), its change of scale. Measured on rendered rooms and a
# kitchen.
_STEP_ANGLE = np.radians(3.0)
_STEP_SHIFT, _STEP_SHIFT_LEAST = 0.3, 0.01
_STEP_LOG_SCALE = 0.05
# Of a step between refined keyframes, as a part of these. Loops know the network's depth only: they
# may bend the way where it was not refined, and nowhere else.
_REFINED_STEP = 0.01
# What an edge and the cameras may differ by, in squares of its standard deviations, before the
# cameras are moved: what chance alone brings (3 turns, 3 shifts and a scale).
_CONTRADICTION = 7.0
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
        # Median depth of each keyframe.
        self._reach: list[float] = []
        self._steps: list[Edge] = []
        self._loops: list[Edge] = []
        self._refined: set[int] = set()

    def extend(self, keyframes: Sequence[Keyframe], start: int) -> tuple[int, list[int]]:
        """Take in that keyframes from position `start` on are new or changed.

        Where loops contradict the cameras, poses and depth of all keyframes are set anew. Returns
        how many loops were found, and the positions of what moved.
        """
        fresh = range(len(self._places), len(keyframes))
        self._places += [describe(keyframes[position].image) for position in fresh]
        # A window is joined at the scale of the keyframes that it shares.
        scale = self._log_scales[-1] if self._log_scales else 0.0
        self._log_scales += [scale] * len(fresh)
        self._reach[start:] = [float(np.median(k.depth)) for k in keyframes[start:]]
        del self._steps[max(0, start - 1) :]
        for first in range(len(self._steps), len(keyframes) - 1):
            self._steps.append(self._step(keyframes, first))
        found = [edge for position in fresh for edge in self._find(keyframes, position)]
        self._loops += found
        contradicts = any(
            ((self._off(keyframes, edge) / edge.sigma) ** 2).sum() > _CONTRADICTION
            for edge in found
        )
        return len(found), self._settle(keyframes) if contradicts else []

    def take_refined(
        self, keyframes: Sequence[Keyframe], refined: range, factors: Sequence[float]
    ) -> None:
        """Take in that these positions were refined and the later ones moved along; the depth of
        all of them was multiplied by these factors.

        Loops keep what they say: it is in the units from before all factors.
        """
        start = refined.start
        self._refined.update(refined)
        for position, factor in enumerate(factors, start):
            self._log_scales[position] += float(np.log(factor))
            self._reach[position] *= factor
        del self._steps[max(0, start - 1) :]
        for first in range(len(self._steps), len(keyframes) - 1):
            self._steps.append(self._step(keyframes, first))

    def _step(self, keyframes: Sequence[Keyframe], first: int) -> Edge:
        a, b = (keyframes[k].extrinsic.astype(np.float64) for k in (first, first + 1))
        relative = compose_se3(b, invert_se3(a))
        unit = np.exp(self._log_scales[first])
        length = float(np.linalg.norm(relative[:, 3]))
        part = _REFINED_STEP if self._refined.issuperset((first, first + 1)) else 1.0
        shift = _STEP_SHIFT * length + _STEP_SHIFT_LEAST * self._reach[first]
        return Edge(
            first,
            first + 1,
            relative[:, :3],
            relative[:, 3] / unit,
            self._log_scales[first + 1] - self._log_scales[first],
            (part * _STEP_ANGLE, part * shift / unit, part * _STEP_LOG_SCALE),
        )

    def _find(self, keyframes: Sequence[Keyframe], position: int) -> list[Edge]:
        older = self._places[: max(0, position - _GAP + 1)]
        edges: list[Edge] = []
        for candidate in similar(self._places[position], older, _CANDIDATES):
            # Neighbours of a keyframe that was found see the same with the same faults of depth.
            if any(abs(edge.first - candidate) < _GAP for edge in edges):
                continue
            loop = verify_loop(
                View(keyframes[candidate], self._places[candidate]),
                View(keyframes[position], self._places[position]),
            )
            if loop is None:
                continue
            first, second = self._log_scales[candidate], self._log_scales[position]
            edge = Edge(
                candidate,
                position,
                loop.rotation,
                loop.translation / np.exp(first),
                second - first + loop.log_ratio,
                (loop.sigma_angle, loop.sigma_shift / np.exp(first), loop.sigma_log_ratio),
            )
            if self._is_plausible(keyframes, edge):
                edges.append(edge)
        return edges

    def _is_plausible(self, keyframes: Sequence[Keyframe], edge: Edge) -> bool:
        """Whether drift along the keyframes from the edge's first to its second explains it.

        Two places that are alike in everything differ in where they are.
        """
        steps = self._steps[edge.first : edge.second]
        scales = np.exp(self._log_scales[edge.first : edge.second])
        path = float(np.linalg.norm([step.translation for step in steps], axis=1) @ scales)
        angle = min(_DRIFT_ANGLE + _DRIFT_ANGLE_STEP * len(steps), _DRIFT_ANGLE_MOST)
        distance = _DRIFT_SHIFT * self._reach[edge.first] + _DRIFT_SHIFT_PATH * path
        limits = angle, distance / scales[0], _DRIFT_LOG_SCALE
        return bool((self._off(keyframes, edge) < limits).all())

    def _off(self, keyframes: Sequence[Keyframe], edge: Edge) -> Floats:
        """What an edge and the cameras differ by [3], in the units of the edge's sigma."""
        first, second = (
            invert_se3(keyframes[k].extrinsic.astype(np.float64)) for k in (edge.first, edge.second)
        )
        unit = np.exp(self._log_scales[edge.first])
        centre = first[:, 3] - first[:, :3] @ edge.rotation.T @ edge.translation * unit
        scale = self._log_scales[edge.second] - self._log_scales[edge.first]
        return np.array(
            [
                rotation_angle(second[:, :3] @ edge.rotation @ first[:, :3].T),
                np.linalg.norm(second[:, 3] - centre) / unit,
                abs(scale - edge.log_scale),
            ]
        )

    def _settle(self, keyframes: Sequence[Keyframe]) -> list[int]:
        extrinsics = np.array([keyframe.extrinsic for keyframe in keyframes], np.float64)
        poses = invert_se3(extrinsics)
        old_scales = np.array(self._log_scales)
        nodes = [
            Node(pose[:, :3], pose[:, 3], scale)
            for pose, scale in zip(poses, self._log_scales, strict=True)
        ]
        settled = optimize(nodes, self._steps, self._loops)
        new = np.array([np.column_stack([node.rotation, node.centre]) for node in settled])
        scales = np.array([node.log_scale for node in settled])
        shift = np.abs(new - poses)
        shift[:, :, 3] /= np.array(self._reach)[:, None]
        factors = np.exp(scales - old_scales)
        far = np.maximum(shift.max((1, 2)), np.abs(factors - 1)) >= _MOVED
        moved = [int(position) for position in np.flatnonzero(far)]
        for position in moved:
            keyframe = keyframes[position]
            keyframe.extrinsic = invert_se3(new[position]).astype(np.float32)
            keyframe.depth = paged(keyframe.depth * np.float32(factors[position]))
            self._reach[position] *= factors[position]
            self._log_scales[position] = scales[position]
        return moved
