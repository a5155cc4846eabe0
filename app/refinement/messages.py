"""Keyframes and what refinement made of them, as messages between two processes.

A message is one line of JSON and, after it, the bytes of the arrays that the line names: nothing
is unpickled.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.keyframe import Keyframe
from app.refinement.outcome import FrameReport, Refinement

Arrays = dict[str, NDArray[Any]]
Message = tuple[dict[str, Any], Arrays]

_PIXELS = "image", "extrinsic", "intrinsic", "depth", "confidence"


def send(stream: IO[bytes], content: dict[str, Any], arrays: Mapping[str, Any] = {}) -> None:
    """Write a message. Raises OSError or ValueError when nobody reads any more."""
    named = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    kinds = [[name, array.dtype.str, array.shape] for name, array in named.items()]
    stream.write(json.dumps({"arrays": kinds, "content": content}).encode() + b"\n")
    for array in named.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message; None when there are no more, or only a part of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    arrays = {}
    for name, kind, shape in message["arrays"]:
        dtype = np.dtype(kind)
        size = int(np.prod(shape)) * dtype.itemsize
        data = stream.read(size)
        if len(data) < size:
            return None
        arrays[name] = np.frombuffer(data, dtype).reshape(shape)
    return message["content"], arrays


def pack_keyframes(keyframes: Sequence[Keyframe]) -> Message:
    """Keyframes of one size as the content and the arrays of a message."""
    known = [{"index": k.index, "time": k.time, "name": k.name} for k in keyframes]
    arrays = {name: np.stack([getattr(k, name) for k in keyframes]) for name in _PIXELS}
    return {"keyframes": known}, arrays


def unpack_keyframes(content: dict[str, Any], arrays: Arrays) -> list[Keyframe]:
    """What `pack_keyframes` packed."""
    return [
        Keyframe(**known, **{name: arrays[name][place] for name in _PIXELS})
        for place, known in enumerate(content["keyframes"])
    ]


def pack_refinement(before: Sequence[Keyframe], refinement: Refinement) -> Message:
    """What refinement changed of the keyframes that it was given."""
    after = refinement.keyframes
    deeper = [
        at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a.depth is not b.depth
    ]
    content = {
        "reason": refinement.reason,
        "frames": [asdict(frame) for frame in refinement.frames],
        "deeper": deeper,
    }
    arrays: Arrays = {name: np.stack([getattr(k, name) for k in after]) for name in _PIXELS[1:3]}
    if deeper:
        arrays["depth"] = np.stack([after[at].depth for at in deeper])
    return content, arrays


def unpack_refinement(
    before: Sequence[Keyframe], content: dict[str, Any], arrays: Arrays
) -> Refinement:
    """The keyframes with what was changed; the rest of them is shared with those before."""
    depths = {at: arrays["depth"][place] for place, at in enumerate(content["deeper"])}
    keyframes = [
        replace(
            keyframe,
            extrinsic=arrays["extrinsic"][at],
            intrinsic=arrays["intrinsic"][at],
            depth=depths.get(at, keyframe.depth),
        )
        for at, keyframe in enumerate(before)
    ]
    frames = [FrameReport(**frame) for frame in content["frames"]]
    return Refinement(keyframes, frames, content["reason"])
