"""The delegates that a program can be lowered to."""

from __future__ import annotations

from mobile_export.backends.base import Backend

BACKENDS = ("xnnpack", "vulkan", "coreml", "portable")


def make_backend(name: str, fp16: bool = False, small_textures: bool = False) -> Backend:
    """The backend of a name in BACKENDS; the options are Vulkan's (see there).

    Raises ValueError for options that the backend does not have, and where it cannot be lowered
    to on this platform.
    """
    if (fp16 or small_textures) and name != "vulkan":
        raise ValueError(f"{name} has neither a choice of fp16 nor texture limits: vulkan has")
    # Each brings a compiler of its own that takes seconds to import.
    if name == "vulkan":
        from mobile_export.backends.vulkan import VulkanTarget

        return VulkanTarget(fp16, small_textures)
    if name == "coreml":
        try:
            from mobile_export.backends.coreml import CoreMLTarget
        except ImportError as error:
            raise ValueError(f"Core ML cannot be lowered to on this platform: {error}") from error
        return CoreMLTarget()
    if name == "portable":
        from mobile_export.backends.portable import PortableTarget

        return PortableTarget()
    from mobile_export.backends.xnnpack import XnnpackTarget

    return XnnpackTarget()


__all__ = ["BACKENDS", "Backend", "make_backend"]
