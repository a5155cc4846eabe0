"""One keyframe of the reconstruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import invert_se3, to_homogeneous, transform_points, unproject_depth


@dataclass
class Keyframe:
    """A frame with its camera and depth in the global frame (lengths in global scale).

    index: of the frame in its source; time: seconds; image: uint8 [H,W,3] RGB at network size;
    extrinsic: [3,4] camera-from-world; intrinsic: [3,3] in pixels; depth: [H,W] z-depth;
    confidence: [H,W], an unbounded score >= 1.
    """

    index: int
    time: float
    name: str
    image: NDArray[np.uint8]
    extrinsic: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]

    @property
    def world_from_camera(self) -> NDArray[np.float32]:
        """Pose [4,4] of the camera in the global frame."""
        return to_homogeneous(invert_se3(self.extrinsic)).astype(np.float32)

    def camera_points(self) -> NDArray[np.float32]:
        """Points [H,W,3] in the camera's frame."""
        return unproject_depth(self.depth, self.intrinsic).astype(np.float32)

    def world_points(self) -> NDArray[np.float32]:
        """Points [H,W,3] in the global frame."""
        return transform_points(invert_se3(self.extrinsic), self.camera_points())
