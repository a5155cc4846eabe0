"""Refines the keyframes of a run that is over, while a bar shows how far it is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from app.live.terminal import say, warn
from app.reconstruction import Keyframe
from app.refinement.outcome import kept
from app.refinement.process import CANCELLED, RefinedRun, refine_apart


def refine_run(keyframes: Sequence[Keyframe], source: str | None) -> RefinedRun:
    """Refine all keyframes of a run, with a bar that shows how far it is.

    source: where their frames can be read again, at full resolution; where they cannot, the
    network's images serve. Ctrl-C, or a fault, keeps the network's result; the reason says so.
    """
    try:
        with _bar() as progress:
            return refine_apart(keyframes, source, progress=progress, warn=warn)
    except KeyboardInterrupt:
        refinement = kept(keyframes, CANCELLED)
        say(f"refinement {refinement.reason}")
        return RefinedRun(refinement, 0.0)


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    form = "refining: {percentage:3.0f} %|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, disable=None, leave=False, bar_format=form) as bar:

        def show(share: float) -> None:
            bar.update(share - bar.n)

        yield show
