"""What the tests of sessions record: a walk along a wall."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.capture import Decision, Frame
from app.capture._cv2 import cv2
from app.reconstruction import Keyframe
from app.sessions import SessionWriter

HEIGHT, WIDTH = 48, 64
_WALL = cv2.resize(np.random.default_rng(0).integers(20, 230, (6, 60, 3), np.uint8), (600, HEIGHT))


def frame(index: int, time: float | None = None) -> Frame:
    """Two pixels further right with every index."""
    image = np.ascontiguousarray(_WALL[:HEIGHT, 2 * index : 2 * index + WIDTH])
    return Frame(index, index / 30 if time is None else time, image, f"{index:06d}")


def decision(index: int) -> Decision:
    """Every fourth is a keyframe."""
    return Decision(index % 4 == 0, "moved" if index % 4 == 0 else "too similar")


def keyframe(index: int, depth: float = 1.0) -> Keyframe:
    """As a reconstruction might have it, at half the size of the frame."""
    rng = np.random.default_rng(index)
    shape = (HEIGHT // 2, WIDTH // 2)
    extrinsic = np.eye(3, 4, dtype=np.float32)
    extrinsic[:, 3] = rng.normal(size=3)
    return Keyframe(
        index=index,
        time=index / 30,
        name=f"{index:06d}",
        image=np.zeros((*shape, 3), np.uint8),
        extrinsic=extrinsic,
        intrinsic=np.diag([30.0, 31.0, 1.0]).astype(np.float32),
        depth=rng.uniform(1, 4, shape).astype(np.float32) * np.float32(depth),
        confidence=rng.uniform(1, 9, shape).astype(np.float32),
    )


def record_walk(folder: Path, frames: int = 40) -> Path:
    """A session with `frames` frames; its keyframes grow, and the first one moves, on the way."""
    keyframes: list[Keyframe] = []
    with closing(SessionWriter(folder, "wall", {"views": 4})) as writer:
        for index in range(frames):
            writer.add_frame(frame(index), decision(index))
            if decision(index).accepted:
                keyframes.append(keyframe(index))
                keyframes[0] = replace(keyframe(0), depth=keyframe(0, 1 + index).depth)
                writer.set_keyframes(keyframes)
    return folder
