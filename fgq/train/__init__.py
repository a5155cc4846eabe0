"""Training of a small VGGT on rendered scenes."""

from fgq.train.config import TrainConfig
from fgq.train.trainer import train

__all__ = ["TrainConfig", "train"]
