"""Finds out what the machine can draw 3D with."""

import logging
import os
import tempfile
from dataclasses import dataclass

import pygfx as gfx
import wgpu
from pygfx.renderers.wgpu.engine.utils import gpu_caches


@dataclass(frozen=True)
class Adapter:
    """A graphics adapter; is_cpu: it is software, so the view draws fewer points at a time."""

    summary: str
    is_cpu: bool


def find_adapter() -> Adapter | None:
    """The adapter that pygfx will draw with, or None when there is none.

    Call it before the first view is made: it also tells pygfx to do without a texture feature
    that OpenGL adapters lack and that this app does not use, and to keep no binding of clouds that
    were replaced: its last 128 would hold on to their points, some 40 MB.
    """
    # Where it is not set, libwayland prints errors while wgpu looks for displays.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    try:
        adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
    except RuntimeError:
        return None
    gpu_caches.bindings.disable()
    if "float32-filterable" not in adapter.features:
        # It warns that this takes back what pygfx asked for.
        logging.getLogger("wgpu").setLevel(logging.ERROR)
        gfx.renderers.wgpu.enable_wgpu_features("!float32-filterable")
    return Adapter(adapter.summary, adapter.info["adapter_type"] == "CPU")
