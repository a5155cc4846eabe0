"""pycolmap, which tells what it does only when it dies: every attempt that fails is foreseen."""

import pycolmap

pycolmap.logging.minloglevel = 3

__all__ = ["pycolmap"]
