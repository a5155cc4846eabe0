"""Model bundles and the child process that runs them."""

from app.engine.bundle import Bundle, BundleError, open_bundle, read_bundle
from app.engine.prediction import Prediction
from app.engine.process import Engine, EngineError

__all__ = [
    "Bundle",
    "BundleError",
    "Engine",
    "EngineError",
    "Prediction",
    "open_bundle",
    "read_bundle",
]
