"""The runtime takes the option that keeps one copy of every packed weight."""

import sys
from pathlib import Path

import pytest

from app.engine.weight_cache import share_packed_weights


@pytest.mark.skipif(sys.platform != "linux", reason="looked at on Linux only")
def test_this_runtime_has_the_cache() -> None:
    import torch  # noqa: F401  (the runtime takes its tensors)
    from executorch.extension.pybindings import _C

    assert share_packed_weights(Path(_C.__file__).parents[2] / "lib")


def test_a_runtime_without_it_goes_on(tmp_path: Path) -> None:
    assert not share_packed_weights(tmp_path)
