"""The VGGT network: `VGGT(VGGTConfig.nano())(images)`; nothing here depends on the project."""

from .checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from .config import VGGTConfig
from .model import VGGT, Predictions

__all__ = [
    "VGGT",
    "CheckpointError",
    "Predictions",
    "VGGTConfig",
    "load_checkpoint",
    "save_checkpoint",
]
