"""What rays hit first, found with as few of them as an image allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from fgq.data.shadows import Mask, Shape
from fgq.data.templates import Floats

MISS = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Hit:
    """Of N rays [6, N]: the triangle [N], depth [N] and barycentric coordinates uv [2, N]."""

    rays: Floats
    triangle: NDArray[np.uint32]
    depth: Floats
    uv: Floats

    def part(self, index: slice) -> Hit:
        rays, uv = self.rays[:, index], self.uv[:, index]
        return Hit(rays, self.triangle[index], self.depth[index], uv)


def cast(scene: Any, rays: Floats) -> Hit:
    """Casts every ray into a RaycastingScene."""
    found = scene.cast_rays(tensor(transposed(rays)), nthreads=1)
    triangle, depth, uv = (
        found[name].numpy() for name in ("primitive_ids", "t_hit", "primitive_uvs")
    )
    return Hit(rays, triangle, depth, transposed(uv))


def cast_images(scene: Any, rays: Floats, shape: Shape) -> Hit:
    """Casts the rays of images' pixels, in order: at first of every other one, as on a chessboard.

    Where the neighbours of another all hit one triangle, so does that. Only what is too thin for
    any of them to see may be missed there, and its pixel shows what lies behind.
    """
    count, size = rays.shape[1], shape[0] * shape[1]
    triangle, depth = np.empty(count, np.uint32), np.empty(count, np.float32)
    hit = Hit(rays, triangle, depth, np.empty((2, count), np.float32))
    row, column = np.indices(shape, np.int32)
    black = np.broadcast_to((row + column) % 2 == 0, (count // size, *shape))
    _fill(hit, scene, np.flatnonzero(black))
    between = _between(triangle.reshape(black.shape)) & ~black
    _interpolate(hit, np.flatnonzero(between))
    _fill(hit, scene, np.flatnonzero(~(black | between)))
    return hit


def _between(triangle: NDArray[np.uint32]) -> Mask:
    """Pixels [S, H, W] with a neighbour on both sides, whose neighbours all hit one triangle."""
    left, right = triangle[:, :, :-2], triangle[:, :, 2:]
    same = np.zeros(triangle.shape, bool)
    inner = same[:, :, 1:-1]
    np.equal(left, right, out=inner)
    inner &= left != MISS
    inner[:, 1:] &= left[:, 1:] == triangle[:, :-1, 1:-1]
    inner[:, :-1] &= left[:, :-1] == triangle[:, 1:, 1:-1]
    return same


def _interpolate(hit: Hit, index: NDArray[np.intp]) -> None:
    """Fills in pixels [M] from their neighbours left and right, which hit the same triangle:
    1 / depth and uv / depth are linear in the image of a plane."""
    before, after = index - 1, index + 1
    hit.triangle[index] = hit.triangle.take(before)
    near, far = hit.depth.take(before), hit.depth.take(after)
    share = far / (near + far)
    hit.depth[index] = 2 * near * share
    for plane in hit.uv:
        first, second = plane.take(before), plane.take(after)
        plane[index] = second + share * (first - second)


def _fill(hit: Hit, scene: Any, index: NDArray[np.intp]) -> None:
    """Casts the rays of some pixels [M]."""
    new = cast(scene, hit.rays.take(index, 1))
    hit.triangle[index], hit.depth[index] = new.triangle, new.depth
    for plane, values in zip(hit.uv, new.uv, strict=True):
        plane[index] = values


def tensor(array: NDArray[Any]) -> Any:
    """The array seen by Open3D, without a copy."""
    return o3d.core.Tensor.from_numpy(array)


def transposed(array: Floats) -> Floats:
    """[N, M] to contiguous [M, N], several times as fast as numpy."""
    return cv2.transpose(array) if array.size else np.empty(array.shape[::-1], array.dtype)
