"""Layout of the memory that the app and the child process share."""

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Buffer:
    """The memory shared with the parent: images first, then the outputs, for up to `views`."""

    memory: mmap.mmap
    views: int
    height: int
    width: int

    @staticmethod
    def bytes_needed(views: int, height: int, width: int) -> int:
        """Size of the memory: uint8 RGB, padded to whole floats, and the float32 outputs."""
        pixels = views * height * width
        return 4 * (_padded(3 * pixels) // 4 + 9 * views + 2 * pixels)

    def images(self, views: int) -> NDArray[np.uint8]:
        """Images uint8 [views,H,W,3]."""
        shape = (views, self.height, self.width, 3)
        return np.frombuffer(self.memory, np.uint8, int(np.prod(shape))).reshape(shape)

    def outputs(self, views: int) -> dict[str, NDArray[np.float32]]:
        """The outputs float32: pose_enc [views,9], depth and depth_conf [views,H,W]."""
        maps = (views, self.height, self.width)
        shapes = {"pose_enc": (views, 9), "depth": maps, "depth_conf": maps}
        offset = _padded(3 * self.views * self.height * self.width)
        arrays = {}
        for name, shape in shapes.items():
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(self.memory, np.float32, count, offset).reshape(shape)
            offset += 4 * count
        return arrays


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4
