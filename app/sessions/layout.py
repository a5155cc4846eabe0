"""The folder of a session: its names, and the lines of its log.

    session.json         format, version, source, settings; written once
    session.log          one record a line; only ever appended to
    frames/000012.jpg    a frame that was looked at, as JPEG
    frames/000012.png    one that became a keyframe, without loss
    depth/000012-1.f16   depth, then confidence of keyframe 12 [2,H,W], little-endian float16;
                         -1: the second time that they were set

A line of the log is the CRC-32 of its text in eight hex digits, a space, and the text: a JSON
object whose "kind" is one of

    begin       a capture begins or goes on
    frame       index, time, name; keyframe (true or false) and the reason; bytes and crc of its
                image file
    keyframes   what changed since the last such record. set: a list of index, time, name, size
                [H,W], extrinsic (12 numbers), intrinsic (9), revision of the depth file and its
                crc; removed: a list of indices
    end         the capture ended as it should

No line names a file: names follow from the index. A file is renamed into its place before the line
that tells of it is written, so that what the log tells of is there and whole. Lines do not depend
on their neighbours: a damaged one is passed over.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "session.json"
LOG = "session.log"
FRAMES = "frames"
DEPTH = "depth"
FORMAT = "pocket-vggt-session"
VERSION = 1

# A file that is being written: one writer, so one name, which the next file takes over.
_PART = ".part"


@dataclass(frozen=True)
class Damage:
    """A stretch of the log that cannot be read, in bytes."""

    size: int


def is_session(path: Path | str) -> bool:
    """Whether a path is the folder of a session, be it damaged."""
    path = Path(path)
    return (path / LOG).is_file() or _is_ours(path / MANIFEST)


def image_file(folder: Path, index: int, keyframe: bool) -> Path:
    """Image of a frame."""
    return folder / FRAMES / f"{index:06d}.{'png' if keyframe else 'jpg'}"


def depth_file(folder: Path, index: int, revision: int) -> Path:
    """Depth and confidence of a keyframe."""
    return folder / DEPTH / f"{index:06d}-{revision}.f16"


def encode_record(record: dict[str, Any]) -> bytes:
    """A record as a line of the log."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def decode_log(data: bytes) -> Iterator[dict[str, Any] | Damage]:
    """The records of a log in their order, and what is damaged between them."""
    damaged = 0
    for line in data.split(b"\n"):
        record = _decode_line(line)
        if record is None:
            damaged += len(line)
            continue
        if damaged:
            yield Damage(damaged)
            damaged = 0
        yield record
    if damaged:
        yield Damage(damaged)


def place_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole. Raises OSError."""
    part = path.with_name(_PART)
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        # Room for what comes after, on a disk that is full.
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _decode_line(line: bytes) -> dict[str, Any] | None:
    text = line[9:]
    if line[:9] != b"%08x " % zlib.crc32(text):
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _is_ours(manifest: Path) -> bool:
    try:
        document = json.loads(manifest.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT
