"""Spreads what closed loops say over all keyframes: a graph of cameras with a scale each.

Scales, rotations and positions are solved one after the other, each as linear systems with the
graph's Laplacian, weighted by how sure each edge is. That is exact for the logarithms of scales and
for positions, and needs a few rounds for rotations. Loops that disagree with the rest lose their
weight, in all three (iteratively reweighted, after Geman and McClure).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, quaternion_to_matrix, rotation_angle

_ROUNDS = 8
# Changes (of trust, of a rotation in radians) below which no further round is needed.
_SETTLED = 1e-3
# Disagreement of a loop at which it has lost three quarters of its weight.
_TOLERANCE_SCALE = 0.4
_TOLERANCE_ANGLE = np.radians(15)
# Of an edge's standard deviation: how exactly a linear system is solved.
_EXACT = 1e-3


@dataclass(frozen=True)
class Edge:
    """One camera as seen by another: x_second = rotation x_first + translation.

    Keyframes keep the logarithm of the factor by which their depth was scaled so far: log_scale is
    that of the second minus that of the first at which both agree about their depth, and
    translation is in the first one's unscaled unit. sigma: standard deviations of the rotation
    (radians), of the second camera's place (in that unit) and of log_scale.
    """

    first: int
    second: int
    rotation: Floats
    translation: Floats
    log_scale: float
    sigma: tuple[float, float, float]


@dataclass(frozen=True)
class Node:
    """A camera: rotation [3,3] world-from-camera, centre [3] and logarithm of its scale."""

    rotation: Floats
    centre: Floats
    log_scale: float


def optimize(nodes: Sequence[Node], steps: Sequence[Edge], loops: Sequence[Edge]) -> list[Node]:
    """The cameras that fit all edges best; the first stays as it is.

    Step k joins nodes k and k + 1.
    """
    edges = [*steps, *loops]
    first = np.array([edge.first for edge in edges])
    second = np.array([edge.second for edge in edges])
    sigma = np.array([edge.sigma for edge in edges])
    is_loop = np.arange(len(edges)) >= len(steps)

    wanted = np.array([[edge.log_scale] for edge in edges])
    trust_scale = np.ones(len(edges))
    for _ in range(_ROUNDS):
        log_scale = solve_differences(first, second, trust_scale / sigma[:, 2] ** 2, wanted)
        off = np.abs(log_scale[second] - log_scale[first] - wanted)[:, 0]
        before, trust_scale = trust_scale, np.where(is_loop, _trust(off, _TOLERANCE_SCALE), 1)
        if np.abs(trust_scale - before).max() < _SETTLED:
            break
    log_scale = log_scale[:, 0] + nodes[0].log_scale

    rotation = np.array([node.rotation for node in nodes])
    relative = np.array([edge.rotation for edge in edges])
    for _ in range(_ROUNDS):
        error = _log(rotation[second] @ relative @ np.swapaxes(rotation[first], 1, 2))
        off = np.linalg.norm(error, axis=1)
        trust = trust_scale * np.where(is_loop, _trust(off, _TOLERANCE_ANGLE), 1)
        turns = solve_differences(first, second, trust / sigma[:, 0] ** 2, -error)
        rotation = _exp(turns) @ rotation
        if np.abs(turns).max() < _SETTLED:
            break
    # Rotations again in spite of rounding: a step of Newton's towards the nearest.
    rotation = rotation @ (3 * np.eye(3) - np.swapaxes(rotation, 1, 2) @ rotation) / 2

    translation = np.array([edge.translation for edge in edges])
    unit = np.exp(log_scale[first])
    # Where the second camera is, in the first one's frame, then in the world's.
    step = -np.einsum("eji,ej->ei", relative, translation) * unit[:, None]
    wanted = np.einsum("eij,ej->ei", rotation[first], step)
    centre = (
        solve_differences(first, second, trust / (sigma[:, 1] * unit) ** 2, wanted)
        + nodes[0].centre
    )
    return [Node(r, c, float(s)) for r, c, s in zip(rotation, centre, log_scale, strict=True)]


def solve_differences(
    first: NDArray[np.int64], second: NDArray[np.int64], weight: Floats, wanted: Floats
) -> Floats:
    """Values [nodes,C], 0 for the first node, whose differences along the edges come nearest to
    `wanted` [edges,C] by least squares of that weight [edges].

    Conjugate gradients, preconditioned by the chain of steps alone, whose Laplacian two cumulative
    sums invert. The first edges are the steps.
    """
    count = int(second.max()) + 1
    weight = weight[:, None]

    def gather(flow: Floats) -> Floats:
        """What flows along the edges [edges,C] into each node [nodes,C], except for the first."""
        total = np.zeros((count, flow.shape[1]))
        total[1:] = flow[: count - 1]
        total[:-1] -= flow[: count - 1]
        np.add.at(total, second[count - 1 :], flow[count - 1 :])
        np.subtract.at(total, first[count - 1 :], flow[count - 1 :])
        total[0] = 0
        return total

    def along_chain(total: Floats) -> Floats:
        flow = np.cumsum(total[:0:-1], axis=0)[::-1] / weight[: count - 1]
        return np.concatenate([np.zeros_like(total[:1]), np.cumsum(flow, axis=0)])

    left = gather(weight * wanted)
    values = np.zeros_like(left)
    direction = preconditioned = along_chain(left)
    energy = (left * preconditioned).sum(0)
    for _ in range(count):
        if not energy.max() > _EXACT**2:
            break
        pushed = gather(weight * (direction[second] - direction[first]))
        # A column that is solved already has no direction left.
        length = energy / np.maximum((direction * pushed).sum(0), np.finfo(float).tiny)
        values += length * direction
        left -= length * pushed
        preconditioned = along_chain(left)
        before, energy = energy, (left * preconditioned).sum(0)
        direction = preconditioned + direction * energy / np.maximum(before, np.finfo(float).tiny)
    return values


def _trust(off: Floats, tolerance: float) -> Floats:
    return 1 / (1 + (off / tolerance) ** 2) ** 2


def _log(rotations: Floats) -> Floats:
    """Rotation vectors [N,3] of rotations [N,3,3] by less than half a turn."""
    twice = rotations - np.swapaxes(rotations, 1, 2)
    axis = np.stack([twice[:, 2, 1], twice[:, 0, 2], twice[:, 1, 0]], -1) / 2
    angle = rotation_angle(rotations)
    # Half a turn has no axis here; it need only stay finite.
    return axis / np.maximum(np.sinc(angle / np.pi), 1e-3)[:, None]


def _exp(vectors: Floats) -> Floats:
    """Rotations [N,3,3] of rotation vectors [N,3]."""
    half = np.linalg.norm(vectors, axis=1, keepdims=True) / 2
    return quaternion_to_matrix(np.hstack([vectors / 2 * np.sinc(half / np.pi), np.cos(half)]))
