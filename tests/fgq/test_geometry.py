"""Cameras and points: exact relations that hold for any input."""

import math

import pytest
import torch
from torch import Tensor

from fgq.geometry import (
    compose_se3,
    decode_pose,
    encode_pose,
    invert_se3,
    matrix_to_quaternion,
    quaternion_to_matrix,
    unproject_depth,
)


def random_extrinsics(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rotation = quaternion_to_matrix(torch.randn(count, 4, generator=generator).double())
    translation = torch.randn(count, 3, 1, generator=generator).double()
    return torch.cat((rotation, translation), dim=-1)


def intrinsics(focal_x: float, focal_y: float, size: tuple[int, int]) -> Tensor:
    height, width = size
    rows = [[focal_x, 0, width / 2], [0, focal_y, height / 2], [0, 0, 1]]
    return torch.tensor(rows, dtype=torch.float64)


def test_quaternion_of_any_length_gives_a_rotation() -> None:
    quaternion = torch.tensor([[0.1, -2.0, 0.3, 5.0], [1e-3, 0, 0, 1e-3]], dtype=torch.float64)
    rotation = quaternion_to_matrix(quaternion)
    identity = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, identity)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(2, dtype=torch.float64))
    # Quarter turn about x: y goes to z.
    torch.testing.assert_close(rotation[1] @ identity[0, 1], identity[0, 2])


@pytest.mark.parametrize("axis", range(4))
def test_quaternion_round_trip_near_every_singularity(axis: int) -> None:
    """Rotations whose quaternion is (nearly) along one component, where single formulas fail."""
    quaternion = torch.full((4,), 1e-4, dtype=torch.float64)
    quaternion[axis] = 1
    quaternion /= quaternion.norm()
    back = matrix_to_quaternion(quaternion_to_matrix(quaternion))
    torch.testing.assert_close(back, quaternion, rtol=0, atol=1e-12)


def test_inverse_and_composition() -> None:
    first, second = random_extrinsics(5), random_extrinsics(5).flip(0)
    identity = torch.eye(4, dtype=torch.float64)[:3].expand(5, 3, 4)
    torch.testing.assert_close(compose_se3(first, invert_se3(first)), identity)
    point = torch.tensor([1.0, 2, 3, 1], dtype=torch.float64)
    inner = torch.cat((second @ point, torch.ones(5, 1, dtype=torch.float64)), dim=-1)
    expected = (first @ inner[..., None]).squeeze(-1)
    torch.testing.assert_close(compose_se3(first, second) @ point, expected)


def test_inverse_keeps_the_form() -> None:
    extrinsic = random_extrinsics(2)
    row = torch.tensor([0.0, 0, 0, 1], dtype=torch.float64).expand(2, 1, 4)
    square = torch.cat((extrinsic, row), dim=1)
    torch.testing.assert_close(invert_se3(square), torch.linalg.inv(square))


def test_pose_code_round_trip() -> None:
    size = (168, 224)
    extrinsic = random_extrinsics(6).view(2, 3, 3, 4)
    intrinsic = intrinsics(190, 205, size).expand(2, 3, 3, 3)
    code = encode_pose(extrinsic, intrinsic, size)
    assert code.shape == (2, 3, 9)
    assert (code[..., 6] >= 0).all()
    decoded = decode_pose(code, size)
    torch.testing.assert_close(decoded, (extrinsic, intrinsic))


def test_field_of_view_is_vertical_first() -> None:
    size = (100, 200)
    extrinsic = torch.eye(4, dtype=torch.float64)[:3]
    code = encode_pose(extrinsic, intrinsics(100, 100, size), size)
    assert code[7:].tolist() == pytest.approx([2 * math.atan(0.5), math.pi / 2])


@pytest.mark.parametrize("pixel_centre", [0.0, 0.5])
def test_unprojected_points_project_back(pixel_centre: float) -> None:
    size = (6, 7)
    extrinsic, intrinsic = random_extrinsics(2), intrinsics(9, 8, size).expand(2, 3, 3)
    depth = torch.rand(2, *size, generator=torch.Generator().manual_seed(1)).double() + 1
    world = unproject_depth(depth, extrinsic, intrinsic, pixel_centre)
    camera = world.flatten(1, 2) @ extrinsic[..., :3].mT + extrinsic[:, None, :, 3]
    torch.testing.assert_close(camera[..., 2].view_as(depth), depth)
    pixel = camera @ intrinsic.mT
    u, v = (pixel[..., :2] / pixel[..., 2:]).view(2, *size, 2).unbind(-1)
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    torch.testing.assert_close(u, (columns + pixel_centre).double().expand_as(u))
    torch.testing.assert_close(v, (rows + pixel_centre).double().expand_as(v))
