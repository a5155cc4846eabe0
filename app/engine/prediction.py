"""What the network says about one window of views."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """Output of one inference; world = camera of the first view, lengths in network scale.

    pose_enc [S,9]; extrinsic [S,3,4] camera-from-world; intrinsic [S,3,3] in pixels of the
    network's image; depth [S,H,W] z-depth; confidence [S,H,W], an unbounded score >= 1;
    seconds: time of the network alone.
    """

    pose_enc: NDArray[np.float32]
    extrinsic: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    seconds: float
