"""Draws a cloud with its cameras without a display or a graphics driver."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import Floats, invert_se3, transform_points, unproject_depth
from app.reconstruction.cloud import PointCloud
from app.reconstruction.keyframe import Keyframe

_BACKGROUND = (24, 26, 31)
_FOV = np.radians(50)
# Drawn larger and averaged down, against jagged edges.
_OVERSAMPLE = 2
_MAX_SPLAT = 12
# Of the points, on each side, that may fall out of the picture: a few always fly far off.
_OUTSIDE = 0.04
_LINE_POINTS = 160


def render_picture(
    cloud: PointCloud, keyframes: Sequence[Keyframe], size: tuple[int, int] = (900, 1200)
) -> NDArray[np.uint8]:
    """Picture [H,W,3] of the cloud with its cameras and their path, from behind and above them.

    Cameras go from blue (first) to red (last).
    """
    height, width = (side * _OVERSAMPLE for side in size)
    focal = height / 2 / np.tan(_FOV / 2)
    reach = float(np.median([np.median(keyframe.depth) for keyframe in keyframes]))
    line_points, line_colors = _camera_lines(keyframes, reach)
    extrinsic = _viewpoint(cloud, keyframes, reach, width / height)

    # What a pixel of the network covers, and some more: it was seen from another direction.
    spacing = 1.7 * reach * float(np.median([1 / k.intrinsic[0, 0] for k in keyframes]))
    points = np.concatenate([cloud.points, line_points]).astype(np.float64)
    colors = np.concatenate([cloud.colors, line_colors])
    x, y, z = transform_points(extrinsic, points).T
    front = z > 0.05 * reach
    side = np.full(len(points), spacing * focal)
    side[len(cloud.points) :] = 0.006 * reach * focal
    side, x, y, z = side[front], x[front], y[front], z[front]
    image, depth = _splat(
        u=x / z * focal + width / 2,
        v=y / z * focal + height / 2,
        z=z,
        side=np.clip(np.ceil(side / z), 2, _MAX_SPLAT).astype(int),
        colors=colors[front],
        size=(height, width),
    )
    shaded = image * _eye_dome_shade(depth)[..., None]
    shaded[np.isinf(depth)] = _BACKGROUND
    small = cv2.resize(shaded, size[::-1], interpolation=cv2.INTER_AREA)
    return np.rint(small).astype(np.uint8)


def _splat(
    u: Floats,
    v: Floats,
    z: Floats,
    side: NDArray[np.int_],
    colors: NDArray[np.uint8],
    size: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Squares of `side` pixels about (u, v), the nearest in front: image [H,W,3], depth [H,W]."""
    height, width = size
    image = np.zeros((height * width, 3), np.float32)
    depth = np.full(height * width, np.inf, np.float32)
    # From far to near: of several points on a pixel, numpy's assignment keeps the last.
    order = np.argsort(-z)
    u, v, z, side, colors = u[order], v[order], z[order], side[order], colors[order]
    column, row = np.floor(u - side / 2).astype(int), np.floor(v - side / 2).astype(int)
    layer = np.empty(height * width, np.int64)
    for dy, dx in np.ndindex(side.max(initial=0), side.max(initial=0)):
        c, r = column + dx, row + dy
        drawn = (side > max(dx, dy)) & (c >= 0) & (c < width) & (r >= 0) & (r < height)
        which = np.flatnonzero(drawn)
        pixel = r[which] * width + c[which]
        layer[pixel] = which
        nearest = layer[pixel]
        closer = z[nearest] < depth[pixel]
        pixel, nearest = pixel[closer], nearest[closer]
        depth[pixel] = z[nearest]
        image[pixel] = colors[nearest]
    return image.reshape(height, width, 3), depth.reshape(height, width)


def _eye_dome_shade(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Darkens pixels that lie behind their neighbours (Boucheny 2009), [H,W] in 0..1."""
    log_depth = np.log(np.minimum(depth, 1e6))
    radius = 2 * _OVERSAMPLE
    shade = np.zeros_like(log_depth)
    padded = np.pad(log_depth, radius, mode="edge")
    height, width = depth.shape
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        top, left = dy * radius, dx * radius
        neighbour = padded[top : top + height, left : left + width]
        shade += np.clip(log_depth - neighbour, 0, 0.15)
    return np.exp(-2.5 * shade)


def _viewpoint(
    cloud: PointCloud, keyframes: Sequence[Keyframe], reach: float, aspect: float
) -> Floats:
    """Camera-from-world [3,4] behind and above the cameras that has the scene in view."""
    poses = np.array([keyframe.world_from_camera for keyframe in keyframes], np.float64)
    centres = poses[:, :3, 3]
    down, forward = poses[:, :3, 1].mean(0), poses[:, :3, 2].mean(0)
    # Cameras that look all around have no common direction: take the first one's.
    if np.linalg.norm(forward) < 0.3:
        forward = poses[0, :3, 2]
    down /= np.linalg.norm(down) + 1e-9
    forward -= down * (forward @ down)
    forward /= np.linalg.norm(forward) + 1e-9
    right = np.cross(down, forward)
    every = max(1, len(cloud.points) // 20_000)
    seen = cloud.points[::every] if len(cloud.points) else centres
    # A little from the side, so that depth is seen.
    away = -0.80 * forward - 0.42 * down + 0.36 * right
    away /= np.linalg.norm(away)
    axis_z = -away
    axis_x = np.cross(down, axis_z)
    axis_x /= np.linalg.norm(axis_x) + 1e-9
    rotation = np.stack([axis_x, np.cross(axis_z, axis_x), axis_z])
    low, high = np.quantile(seen @ rotation.T, (_OUTSIDE, 1 - _OUTSIDE), axis=0)
    target = (low + high) / 2 @ rotation
    limit = 2 * 0.94 * np.tan(_FOV / 2) * np.array([aspect, 1])
    for distance in reach * np.geomspace(0.6, 12, 40):
        eye = target + away * distance
        # Perspective moves the middle of the picture off the middle of the scene.
        for _ in range(3):
            low, high = _bounds(rotation, eye, seen, centres)
            eye += 0.5 * distance * np.clip((low + high) / 2, -0.5, 0.5) @ rotation[:2]
        if (high - low < limit).all():
            break
    return np.column_stack([rotation, -rotation @ eye])


def _bounds(rotation: Floats, eye: Floats, seen: Floats, centres: Floats) -> tuple[Floats, Floats]:
    """Tangents [2] of the viewing angles that hold all camera centres and most points."""
    bounds = []
    for points, outside in ((seen, _OUTSIDE), (centres, 0)):
        local = (points - eye) @ rotation.T
        tangents = local[:, :2] / np.maximum(local[:, 2:], 1e-9)
        bounds.append(np.quantile(tangents, (outside, 1 - outside), axis=0))
    return np.minimum(bounds[0][0], bounds[1][0]), np.maximum(bounds[0][1], bounds[1][1])


def _camera_lines(keyframes: Sequence[Keyframe], reach: float) -> tuple[Floats, NDArray[np.uint8]]:
    """Frustums and path of the cameras as dense coloured points: [N,3] and uint8 [N,3]."""
    scale = np.linspace(40, 235, len(keyframes)).astype(np.uint8)
    turbo = cv2.applyColorMap(scale[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
    centres = np.array([k.world_from_camera[:3, 3] for k in keyframes], np.float64)
    lines = list(zip(centres[:-1], centres[1:], turbo[1:], strict=True))
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1) if len(centres) > 1 else [reach]
    # Frustums of cameras close together are small, or one would hide the next.
    length = np.clip(1.5 * np.median(steps), 0.04 * reach, 0.11 * reach)
    for keyframe, color in zip(keyframes, turbo, strict=True):
        corners = unproject_depth(np.full((2, 2), length), _corner_intrinsic(keyframe))
        corners = transform_points(invert_se3(keyframe.extrinsic), corners.reshape(4, 3))
        centre = keyframe.world_from_camera[:3, 3]
        lines += [(centre, corner, color) for corner in corners]
        lines += [(corners[a], corners[b], color) for a, b in ((0, 1), (1, 3), (3, 2), (2, 0))]
    along = np.linspace(0, 1, _LINE_POINTS)[:, None]
    points = [np.empty((0, 3)), *(a + along * (b - a) for a, b, _ in lines)]
    colors = [np.empty((0, 3), np.uint8), *(np.tile(c, (_LINE_POINTS, 1)) for *_, c in lines)]
    return np.concatenate(points), np.concatenate(colors)


def _corner_intrinsic(keyframe: Keyframe) -> Floats:
    """The camera [3,3] as one of 2x2 pixels whose centres are the corners of the image."""
    height, width = keyframe.depth.shape
    return np.diag([1 / width, 1 / height, 1]) @ keyframe.intrinsic
