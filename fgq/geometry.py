"""Cameras and points in torch: pose codes, rigid transforms, unprojection.

OpenCV axes (x right, y down, z forward); extrinsic = camera-from-world [R|t], intrinsic in pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Quaternion [..., 4] (x y z w) of any length but zero -> rotation matrix [..., 3, 3]."""
    x, y, z, w = quaternion.unbind(-1)
    s = 2 / quaternion.square().sum(-1)
    rows = (
        (1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
        (s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)),
        (s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def matrix_to_quaternion(rotation: Tensor) -> Tensor:
    """Rotation matrix [..., 3, 3] -> unit quaternion [..., 4] (x y z w) with w >= 0.

    4 q q^T is linear in the entries of the matrix; the row of its largest diagonal entry, divided
    by twice that component, is the quaternion.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in rotation.unbind(-2))
    outer = torch.stack(
        [
            torch.stack(row, dim=-1)
            for row in (
                (1 + xx - yy - zz, xy + yx, xz + zx, zy - yz),
                (xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx),
                (xz + zx, yz + zy, 1 - xx - yy + zz, yx - xy),
                (zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz),
            )
        ],
        dim=-2,
    )
    largest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    quaternion = F.normalize(outer.gather(-2, index).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def invert_se3(transform: Tensor) -> Tensor:
    """Inverse of rigid transforms [..., 3, 4] or [..., 4, 4], in the same form."""
    rotation = transform[..., :3, :3].mT
    translation = -rotation @ transform[..., :3, 3:]
    inverse = torch.cat((rotation, translation), dim=-1)
    return torch.cat((inverse, transform[..., 3:, :]), dim=-2)


def compose_se3(first: Tensor, second: Tensor) -> Tensor:
    """first after second, both [..., 3, 4] -> [..., 3, 4]."""
    rotation, translation = first[..., :3], first[..., 3:]
    moved = rotation @ second
    return torch.cat((moved[..., :3], moved[..., 3:] + translation), dim=-1)


def encode_pose(extrinsic: Tensor, intrinsic: Tensor, size: tuple[int, int]) -> Tensor:
    """Cameras of images of size (H, W) -> pose code [..., 9].

    extrinsic [..., 3, 4], intrinsic [..., 3, 3]. The code is the translation, the quaternion
    (x y z w, w >= 0) and the vertical and horizontal fields of view in radians; the principal
    point is not part of it.
    """
    height, width = size
    quaternion = matrix_to_quaternion(extrinsic[..., :3])
    fov_h = 2 * torch.atan(height / 2 / intrinsic[..., 1, 1])
    fov_w = 2 * torch.atan(width / 2 / intrinsic[..., 0, 0])
    fov = torch.stack((fov_h, fov_w), dim=-1)
    return torch.cat((extrinsic[..., 3], quaternion, fov), dim=-1)


def decode_pose(pose_enc: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pose code [..., 9] of images of size (H, W) -> extrinsic [..., 3, 4], intrinsic [..., 3, 3].

    The principal point is the image centre. A field of view of 0 gives an infinite focal length.
    """
    height, width = size
    rotation = quaternion_to_matrix(pose_enc[..., 3:7])
    extrinsic = torch.cat((rotation, pose_enc[..., :3, None]), dim=-1)
    focal_y, focal_x = (
        torch.tensor((height, width), device=pose_enc.device) / 2 / (pose_enc[..., 7:] / 2).tan()
    ).unbind(-1)
    zero, one = torch.zeros_like(focal_x), torch.ones_like(focal_x)
    rows = (
        (focal_x, zero, one * (width / 2)),
        (zero, focal_y, one * (height / 2)),
        (zero, zero, one),
    )
    return extrinsic, torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def unproject_depth(
    depth: Tensor, extrinsic: Tensor, intrinsic: Tensor, pixel_centre: float = 0.0
) -> Tensor:
    """Depth maps [..., H, W] along the optical axis -> world points [..., H, W, 3].

    extrinsic [..., 3, 4], intrinsic [..., 3, 3]. The ray of pixel (u, v) goes through the image
    point (u, v) + pixel_centre: 0 as VGGT was released, 0.5 where the pixel's centre is meant.
    """
    height, width = depth.shape[-2:]
    v = torch.arange(height, dtype=depth.dtype, device=depth.device)[:, None] + pixel_centre
    u = torch.arange(width, dtype=depth.dtype, device=depth.device) + pixel_centre
    focal_x, focal_y, centre_x, centre_y = (
        intrinsic[..., i, j, None, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))
    )
    x = (u - centre_x) / focal_x * depth
    y = (v - centre_y) / focal_y * depth
    camera = torch.stack((x, y, depth), dim=-1)
    # Row vectors: (R^T p)^T = p^T R.
    rotation, translation = extrinsic[..., :3], extrinsic[..., 3]
    world = (camera - translation[..., None, None, :]).flatten(-3, -2) @ rotation
    return world.unflatten(-2, (height, width))
