"""Finds out what the machine can draw 3D with."""

import logging
import os
import tempfile
from dataclasses import dataclass

import pygfx as gfx
import wgpu


@dataclass(frozen=True)
class Adapter:
    """A graphics adapter; is_cpu: it is software, so the view draws fewer points at a time."""

    summary: str
    is_cpu: bool


def find_adapter() -> Adapter | None:
    """The adapter that pygfx will draw with, or None when there is none.

    Call it before the first view is made: it also tells pygfx to do without a texture feature
    that OpenGL adapters lack and that this app does not use.
    """
    # Where it is not set, libwayland prints errors while wgpu looks for displays.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    try:
        adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
    except RuntimeError:
        return None
    if "float32-filterable" not in adapter.features:
        # It warns that this takes back what pygfx asked for.
        logging.getLogger("wgpu").setLevel(logging.ERROR)
        gfx.renderers.wgpu.enable_wgpu_features("!float32-filterable")
    return Adapter(adapter.summary, adapter.info["adapter_type"] == "CPU")
