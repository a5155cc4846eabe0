"""Spreads what closed loops say over all keyframes: a graph of cameras with a scale each.

Scales, rotations and positions are solved one after the other, each as a linear system with the
same matrix, the graph's weighted Laplacian. That is exact for the logarithms of scales and for
positions, and needs a few rounds for rotations. Edges that disagree with the rest lose their
weight, in all three (iteratively reweighted, after Geman and McClure).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.capture._cv2 import cv2
from app.geometry import Floats, nearest_rotation

_ROUNDS = 8
# Disagreement of an edge at which it has lost three quarters of its weight.
_TOLERANCE_SCALE = 0.4
_TOLERANCE_ANGLE = np.radians(15)


@dataclass(frozen=True)
class Edge:
    """One camera as seen by another: x_second = rotation x_first + translation.

    Keyframes keep the logarithm of the factor by which their depth was scaled so far: log_scale is
    that of the second minus that of the first at which both agree about their depth, and
    translation is in the first one's unscaled unit. weight: 1 for neighbours.
    """

    first: int
    second: int
    rotation: Floats
    translation: Floats
    log_scale: float
    weight: float = 1.0
    robust: bool = False


@dataclass(frozen=True)
class Node:
    """A camera: rotation [3,3] world-from-camera, centre [3] and logarithm of its scale."""

    rotation: Floats
    centre: Floats
    log_scale: float


def optimize(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[Node]:
    """The cameras that fit all edges best; the first stays as it is.

    The edges join all nodes.
    """
    count = len(nodes)
    first = np.array([edge.first for edge in edges])
    second = np.array([edge.second for edge in edges])
    weight = np.array([edge.weight for edge in edges])
    robust = np.array([edge.robust for edge in edges])
    trusted = weight.copy()

    def solve(wanted: Floats) -> Floats:
        """Values [count,...] with differences along the edges as wanted, 0 for the first node."""
        laplacian = np.zeros((count, count))
        np.add.at(laplacian, (first, first), trusted)
        np.add.at(laplacian, (second, second), trusted)
        np.add.at(laplacian, (first, second), -trusted)
        np.add.at(laplacian, (second, first), -trusted)
        right = np.zeros((count, wanted.shape[1]))
        np.add.at(right, second, trusted[:, None] * wanted)
        np.add.at(right, first, -trusted[:, None] * wanted)
        values = np.zeros_like(right)
        values[1:] = np.linalg.solve(laplacian[1:, 1:], right[1:])
        return values

    wanted = np.array([[edge.log_scale] for edge in edges])
    for _ in range(_ROUNDS):
        log_scale = solve(wanted)
        off = np.abs(log_scale[second] - log_scale[first] - wanted)[:, 0]
        trust_scale = _trust(off, _TOLERANCE_SCALE, robust)
        trusted = weight * trust_scale
    log_scale = log_scale[:, 0] + nodes[0].log_scale

    rotation = np.array([node.rotation for node in nodes])
    relative = np.array([edge.rotation for edge in edges])
    for _ in range(_ROUNDS):
        error = _log(rotation[second] @ relative @ np.swapaxes(rotation[first], 1, 2))
        trusted = (
            weight * trust_scale * _trust(np.linalg.norm(error, axis=1), _TOLERANCE_ANGLE, robust)
        )
        rotation = _exp(solve(-error)) @ rotation
    rotation = np.array([nearest_rotation(matrix) for matrix in rotation])

    translation = np.array([edge.translation for edge in edges])
    # Where the second camera is, in the first one's frame, then in the world's.
    step = -np.einsum("eji,ej->ei", relative, translation) * np.exp(log_scale[first])[:, None]
    centre = solve(np.einsum("eij,ej->ei", rotation[first], step)) + nodes[0].centre
    return [Node(r, c, float(s)) for r, c, s in zip(rotation, centre, log_scale, strict=True)]


def _trust(off: Floats, tolerance: float, robust: Floats) -> Floats:
    return np.where(robust, 1 / (1 + (off / tolerance) ** 2) ** 2, 1.0)


def _log(rotations: Floats) -> Floats:
    """Rotation vectors [N,3] of rotations [N,3,3]."""
    return np.array([cv2.Rodrigues(rotation)[0][:, 0] for rotation in rotations])


def _exp(vectors: Floats) -> Floats:
    """Rotations [N,3,3] of rotation vectors [N,3]."""
    return np.array([cv2.Rodrigues(vector)[0] for vector in vectors])
