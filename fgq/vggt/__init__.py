"""The VGGT network: `VGGT(VGGTConfig.nano())(images)`; nothing here depends on the project."""

from .config import VGGTConfig
from .model import VGGT, Predictions

__all__ = ["VGGT", "Predictions", "VGGTConfig"]
