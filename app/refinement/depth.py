"""A smooth correction of a depth map through points whose depth is known."""

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, depth_at

# Points a map needs before it is corrected at all, and the share of them that judges the result.
_MIN_POINTS = 20
_HELD_OUT = 0.25
_SEED = 0
# Nodes of the correction (rows, columns), and how far log depth is expected to be off: between a
# point and the corrected map, between two neighbouring nodes, and by a factor of log depth itself.
_GRID = 4, 5
_NOISE, _STEP, _SLOPE = 0.08, 0.15, 0.3
_ITERATIONS = 10
# The points held out must fit so much better.
_GAIN = 0.9


def correct_depth(
    depth: NDArray[np.float32], pixels: Floats, known: Floats, doubt: float = 0.0
) -> NDArray[np.float32] | None:
    """A depth map [H,W] moved through known depths [N] at pixels [N,2] (x, y; centres at integers).

    What is added to log depth is bilinear on a coarse grid plus a multiple of log depth, so that
    the map keeps its detail. None if there are too few points, or if points that were not used
    do not fit better than before; doubt: by so much of log depth the known depths may be off all
    together, which these points cannot tell.
    """
    height, width = depth.shape
    estimate = depth_at(depth, pixels)
    usable = (estimate > 0) & (known > 0)
    if usable.sum() < _MIN_POINTS:
        return None
    column, row = pixels[usable].T
    log_estimate = np.log(estimate[usable])
    middle = float(np.median(log_estimate))
    off = np.log(known[usable]) - log_estimate
    basis = _basis(row / (height - 1), column / (width - 1), log_estimate - middle)

    apart = np.random.default_rng(_SEED).random(len(off)) < _HELD_OUT
    tried = _fit(basis[~apart], off[~apart])
    error_before = np.median(np.abs(off[apart]))
    if not np.median(np.abs(off - basis @ tried)[apart]) + doubt < _GAIN * error_before:
        return None
    *nodes, slope = _fit(basis, off)
    # Bilinear between nodes, the outer ones in the outer pixels.
    rows, columns = (
        _weights(np.linspace(0, 1, n), k) for n, k in zip(depth.shape, _GRID, strict=True)
    )
    added = rows @ np.reshape(nodes, _GRID) @ columns.T
    log_depth = np.log(np.maximum(depth.astype(np.float64), 1e-6))
    # Nothing is known of depths beyond those of the points.
    range_known = np.clip(log_depth, log_estimate.min(), log_estimate.max()) - middle
    return np.exp(log_depth + added + slope * range_known).astype(np.float32)


def _weights(place: Floats, count: int) -> Floats:
    """Weight [N,count] of each of `count` nodes from 0 to 1 in places [N] between them."""
    return np.maximum(0, 1 - np.abs(place[:, None] * (count - 1) - np.arange(count)))


def _basis(row: Floats, column: Floats, log_depth: Floats) -> Floats:
    """What each node and the slope add at places [N] from 0 to 1: [N, nodes + 1]."""
    rows, columns = _weights(row, _GRID[0]), _weights(column, _GRID[1])
    nodes = (rows[:, :, None] * columns[:, None, :]).reshape(len(row), -1)
    return np.concatenate([nodes, log_depth[:, None]], 1)


def _fit(basis: Floats, off: Floats) -> Floats:
    """Nodes and slope: least squares with Cauchy's weights, neighbours tied to each other."""
    number = np.arange(_GRID[0] * _GRID[1]).reshape(_GRID)
    ends = np.concatenate(
        [
            np.stack([number[1:].ravel(), number[:-1].ravel()], 1),
            np.stack([number[:, 1:].ravel(), number[:, :-1].ravel()], 1),
        ]
    )
    ties = np.zeros((len(ends), basis.shape[1]))
    ties[np.arange(len(ends)), ends[:, 0]] = 1 / _STEP
    ties[np.arange(len(ends)), ends[:, 1]] = -1 / _STEP
    prior = ties.T @ ties
    prior[-1, -1] = 1 / _SLOPE**2
    prior += 1e-6 * np.eye(len(prior))
    solution: Floats = np.zeros(basis.shape[1])
    solution[:-1] = np.median(off)
    for _ in range(_ITERATIONS):
        residual = (off - basis @ solution) / _NOISE
        weighted = basis * (1 / (1 + residual**2) / _NOISE**2)[:, None]
        solution = np.linalg.solve(basis.T @ weighted + prior, weighted.T @ off)
    return solution
