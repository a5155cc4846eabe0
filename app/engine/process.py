"""Runs a bundle in a child process, so that a fault of the runtime never takes the app down."""

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.engine.bundle import Bundle
from app.engine.prediction import Prediction
from app.errors import AppError


class EngineError(AppError):
    """The runtime refused the program, crashed or did not answer in time."""


class Engine:
    """A bundle loaded in a child process; images and outputs pass through shared memory."""

    def __init__(self, bundle: Bundle, threads: int | None = None, timeout: float = 120.0) -> None:
        """Start the child. threads: of the runtime; timeout: seconds for any one answer."""
        self.bundle = bundle
        raise NotImplementedError

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        """Run the network on images uint8 [S,H,W,3] RGB, S one of `bundle.view_counts`.

        Blocks. Raises EngineError when the child fails; `restart` makes the engine usable again.
        """
        raise NotImplementedError

    def restart(self) -> None:
        """End the child, however it is, and start a new one."""
        raise NotImplementedError

    @property
    def peak_memory(self) -> int:
        """Largest resident size of the child so far, in bytes."""
        raise NotImplementedError

    def close(self) -> None:
        """End the child and free the shared memory; may be called twice."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
