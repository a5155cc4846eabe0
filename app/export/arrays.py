"""Everything as numpy arrays in one file."""

import io
from pathlib import Path

import numpy as np

from app.export.selection import Selection
from app.files import write_file


def write_npz(path: Path, selection: Selection) -> None:
    """Arrays of S keyframes and N points; nothing in the file is pickled.

    image [S,H,W,3] uint8, depth [S,H,W] (0 where left out), confidence [S,H,W], extrinsic [S,3,4]
    camera-from-world, intrinsic [S,3,3] (pixel centres at integers), time [S] in seconds,
    index [S], name [S]; points [N,3], colors [N,3] uint8; comments.
    """
    keyframes, cloud = selection.keyframes, selection.cloud
    data = io.BytesIO()
    np.savez_compressed(
        data,
        image=np.stack([k.image for k in keyframes]),
        depth=np.stack([selection.depth(k) for k in keyframes]),
        confidence=np.stack([k.confidence for k in keyframes]),
        extrinsic=np.stack([k.extrinsic for k in keyframes]),
        intrinsic=np.stack([k.intrinsic for k in keyframes]),
        time=np.array([k.time for k in keyframes]),
        index=np.array([k.index for k in keyframes]),
        name=np.array([k.name for k in keyframes], np.str_),
        points=cloud.points,
        colors=cloud.colors,
        comments=np.array(selection.comments(), np.str_),
    )
    write_file(path, data.getvalue())
