"""COLMAP's own reconstruction of the same images, to compare with."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.geometry import Floats
from app.refinement._pycolmap import pycolmap


def reconstruct(images: Sequence[Path]) -> list[Floats | None]:
    """Camera-from-world [3,4] of each image in the largest model, None where it has none.

    The incremental mapper with default features, one camera for all and models from 2 images;
    points that two images see count, without which two images never make a model.
    """
    pycolmap.set_random_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number, image in enumerate(images):
            (folder / f"images/{number}{image.suffix}").symlink_to(image.resolve())
        return _run(folder, len(images))


def _run(folder: Path, count: int) -> list[Floats | None]:
    database, images = folder / "database.db", folder / "images"
    extraction = pycolmap.FeatureExtractionOptions()
    matching = pycolmap.FeatureMatchingOptions()
    mapping = pycolmap.IncrementalPipelineOptions()
    for options in (extraction, matching, mapping):
        options.num_threads = 1
    mapping.min_model_size = 2
    mapping.extract_colors = False
    mapping.triangulation.ignore_two_view_tracks = False
    single = pycolmap.CameraMode.SINGLE
    pycolmap.extract_features(database, images, camera_mode=single, extraction_options=extraction)
    pycolmap.match_exhaustive(database, matching_options=matching)
    models = pycolmap.incremental_mapping(database, images, folder / "models", options=mapping)
    poses: list[Floats | None] = [None] * count
    if models:
        largest = max(models.values(), key=lambda model: model.num_reg_images())
        for image in largest.images.values():
            if image.has_pose:
                poses[int(Path(image.name).stem)] = image.cam_from_world().matrix()
    return poses
