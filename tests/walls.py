"""Keyframes in front of a wall with a step: scenes whose every point is known."""

import numpy as np

from app.reconstruction import Keyframe

SIZE = (48, 64)


def make_keyframe(index: int) -> Keyframe:
    """A camera beside the others in front of a wall with a step in the middle."""
    rng = np.random.default_rng(index)
    height, width = SIZE
    extrinsic = np.eye(4, dtype=np.float32)[:3].copy()
    extrinsic[0, 3] = -0.2 * index
    depth = np.full(SIZE, 2, np.float32)
    depth[:, width // 2 :] = 3
    return Keyframe(
        index=index,
        time=index / 10,
        name=f"{index}.png",
        image=rng.integers(0, 256, (*SIZE, 3), np.uint8),
        extrinsic=extrinsic,
        intrinsic=np.array([[60, 0, width / 2], [0, 60, height / 2], [0, 0, 1]], np.float32),
        depth=depth,
        confidence=rng.uniform(1, 9, SIZE).astype(np.float32),
    )
