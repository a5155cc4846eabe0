"""Command-line values that several commands take."""

from __future__ import annotations

import torch


def parse_size(text: str) -> tuple[int, int]:
    """`168x224` -> (168, 224); raises ValueError unless both are positive multiples of 14."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()) or int(height) * int(width) == 0:
        raise ValueError(f"size {text!r} is not HEIGHTxWIDTH")
    if int(height) % 14 or int(width) % 14:
        raise ValueError(f"size {text!r}: height and width must be multiples of 14")
    return int(height), int(width)


def parse_device(text: str) -> torch.device:
    """`cpu`, `cuda:1`, `mps` ... -> the device; raises ValueError if torch cannot use it here."""
    try:
        device = torch.device(text)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch has no CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {text!r} cannot be used: {reason}") from error
    return device
