"""A COLMAP model: cameras, images with poses, and points."""

from __future__ import annotations

from pathlib import Path

from app.export.images import file_name, write_png
from app.export.selection import Selection
from app.reconstruction.keyframe import Keyframe

# COLMAP's pixel centres are at halves, ours at integers.
PIXEL_CENTRE = 0.5


def pinhole(keyframe: Keyframe) -> list[float]:
    """fx, fy, cx, cy in pixels that are counted from the corner of the first one."""
    (fx, _, cx), (_, fy, cy), _ = keyframe.intrinsic.tolist()
    return [fx, fy, cx + PIXEL_CENTRE, cy + PIXEL_CENTRE]


def write_colmap(folder: Path, selection: Selection, text: bool = False) -> None:
    """`images/` and `sparse/0/` in a folder that exists; binary or text files.

    Every keyframe has a PINHOLE camera of its own. Points have colours and no tracks: they come
    from depth, not from matches.
    """
    import pycolmap

    model = pycolmap.Reconstruction()
    (folder / "images").mkdir()
    for number, keyframe in enumerate(selection.keyframes, 1):
        write_png(folder / "images" / file_name(keyframe), keyframe.image)
        height, width = keyframe.depth.shape
        camera = pycolmap.Camera(
            model="PINHOLE",
            width=width,
            height=height,
            params=pinhole(keyframe),
            camera_id=number,
        )
        model.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(name=file_name(keyframe), camera_id=number, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(keyframe.extrinsic))
    cloud = selection.cloud
    for point, color in zip(cloud.points, cloud.colors, strict=True):
        model.add_point3D(point, pycolmap.Track(), color)
    sparse = folder / "sparse/0"
    sparse.mkdir(parents=True)
    if text:
        model.write_text(sparse)
    else:
        model.write_binary(sparse)
