"""Reads a session as far as it is good, and says what is lost."""

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture import Decision, fit_image
from app.capture._cv2 import cv2
from app.errors import AppError
from app.reconstruction.keyframe import Keyframe
from app.sessions.layout import (
    FORMAT,
    FRAMES,
    LOG,
    MANIFEST,
    VERSION,
    decode_log,
    depth_file,
    image_file,
    is_session,
)


class SessionError(AppError):
    """The session cannot be read or written."""


@dataclass(frozen=True)
class RecordedFrame:
    """A frame as it was looked at: index and time (seconds) in the session, its name in its source,
    and what was decided on it; size and crc are of its image file.
    """

    index: int
    time: float
    name: str
    decision: Decision
    size: int
    crc: int


@dataclass(frozen=True)
class RecordedPose:
    """A keyframe without its pixels: size (H, W) of its depth, extrinsic [3,4] camera-from-world,
    intrinsic [3,3]; revision and crc are of its depth file.
    """

    index: int
    time: float
    name: str
    size: tuple[int, int]
    extrinsic: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    revision: int
    crc: int


@dataclass
class Session:
    """A recording.

    frames: all that were looked at, in their order; poses: of the keyframes by index, as they were
    last; lost: a line for each thing that is missing; ended: the capture ended as it should.
    """

    folder: Path
    source: str = "unknown"
    settings: dict[str, Any] = field(default_factory=dict)
    frames: list[RecordedFrame] = field(default_factory=list)
    poses: dict[int, RecordedPose] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    ended: bool = False

    def read_image(self, frame: RecordedFrame) -> NDArray[np.uint8]:
        """Image uint8 [H,W,3] RGB of a frame. Raises SessionError if it is damaged."""
        file = image_file(self.folder, frame.index, frame.decision.accepted)
        data = _read(self.folder, file, frame.crc)
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        except cv2.error:
            image = None
        if image is None:
            raise SessionError(f"{file} is damaged")
        decoded: NDArray[np.uint8] = image
        return decoded

    def read_keyframes(self, warn: Callable[[str], None] = lambda text: None) -> list[Keyframe]:
        """The keyframes as they were last; depth and confidence to 11 bits.

        warn: receives a line for each that is damaged and left out.
        """
        frames = {frame.index: frame for frame in self.frames}
        keyframes = []
        for index, pose in sorted(self.poses.items()):
            if index not in frames:
                continue
            try:
                depth, confidence = self._read_depth(pose)
                image = fit_image(self.read_image(frames[index]), pose.size)
            except SessionError as error:
                warn(f"{error}: keyframe left out")
                continue
            keyframes.append(
                Keyframe(
                    index=index,
                    time=pose.time,
                    name=pose.name,
                    image=image,
                    extrinsic=pose.extrinsic,
                    intrinsic=pose.intrinsic,
                    depth=depth,
                    confidence=confidence,
                )
            )
        return keyframes

    def _read_depth(self, pose: RecordedPose) -> NDArray[np.float32]:
        file = depth_file(self.folder, pose.index, pose.revision)
        values = np.frombuffer(_read(self.folder, file, pose.crc), "<f2")
        if values.size != 2 * pose.size[0] * pose.size[1]:
            raise SessionError(f"{file} is damaged")
        return values.reshape(2, *pose.size).astype(np.float32)


def read_header(folder: Path | str) -> Session:
    """A session with its source and settings only: its log, which may be long, is not read.

    Raises SessionError if the folder is none.
    """
    folder = Path(folder)
    if not is_session(folder):
        raise SessionError(f"{folder} is not a session: it has no {LOG}")
    session = Session(folder)
    _read_manifest(session)
    return session


def open_session(folder: Path | str) -> Session:
    """Read a session; images are read later, one at a time.

    Raises SessionError if the folder is none or cannot be read; whatever is damaged in it is told
    by `lost`.
    """
    session = read_header(folder)
    folder = session.folder
    try:
        data = (folder / LOG).read_bytes() if (folder / LOG).exists() else b""
        images = {entry.name: entry.stat().st_size for entry in os.scandir(folder / FRAMES)}
    except OSError as error:
        raise SessionError(f"{error.filename} cannot be read: {error.strerror}") from None
    _read_log(session, data)
    _check_images(session, images)
    return session


def _read_log(session: Session, data: bytes) -> None:
    places = []
    for record in decode_log(data):
        try:
            if record is None:
                raise ValueError("damaged")
            _apply(session, record)
        except (KeyError, TypeError, ValueError, OverflowError):
            frames = session.frames
            places.append(f"after frame {frames[-1].index}" if frames else "at its beginning")
    if places:
        more = f" and in {len(places) - 1} more places" if len(places) > 1 else ""
        session.lost.append(f"{LOG} is damaged {places[0]}{more}: what stood there is lost")
    if not session.ended:
        session.lost.append("the recording was cut off: its last second may be missing")


def _check_images(session: Session, images: dict[str, int]) -> None:
    """Leave frames out whose image is not there whole."""
    recorded, good = len(session.frames), []
    for frame in session.frames:
        name = image_file(session.folder, frame.index, frame.decision.accepted).name
        if images.pop(name, None) == frame.size:
            good.append(frame)
    session.frames = good
    if len(good) < recorded:
        session.lost.append(f"images missing or damaged: {recorded - len(good)} of {recorded}")
    without = sum(not name.startswith(".") for name in images)
    if without:
        session.lost.append(f"images that {LOG} says nothing of: {without}")


def _read_manifest(session: Session) -> None:
    file = session.folder / MANIFEST
    try:
        document = json.loads(file.read_text("utf-8"))
        version = document["version"]
        if document["format"] == FORMAT and isinstance(version, int) and version > VERSION:
            raise SessionError(f"{session.folder} was recorded by a newer version of this program")
        session.source = str(document["source"])
        session.settings = dict(document["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        session.lost.append(f"{MANIFEST} is damaged: source and settings are not known")


def _apply(session: Session, record: dict[str, Any]) -> None:
    """Take a record in. Raises ValueError and its like when it does not make sense."""
    kind = record["kind"]
    session.ended = kind == "end"
    if kind == "frame":
        frame = _frame(record)
        if session.frames and frame.index <= session.frames[-1].index:
            raise ValueError("frames out of order")
        session.frames.append(frame)
    elif kind == "keyframes":
        poses = [_pose(entry) for entry in record["set"]]
        for index in record["removed"]:
            session.poses.pop(index, None)
        session.poses |= {pose.index: pose for pose in poses}


def _frame(record: dict[str, Any]) -> RecordedFrame:
    return RecordedFrame(
        index=_natural(record["index"]),
        time=float(record["time"]),
        name=str(record["name"]),
        decision=Decision(bool(record["keyframe"]), str(record["reason"])),
        size=_natural(record["bytes"]),
        crc=_natural(record["crc"]),
    )


def _pose(entry: dict[str, Any]) -> RecordedPose:
    height, width = map(_natural, entry["size"])
    if not height or not width:
        raise ValueError("a keyframe without pixels")
    return RecordedPose(
        index=_natural(entry["index"]),
        time=float(entry["time"]),
        name=str(entry["name"]),
        size=(height, width),
        extrinsic=_matrix(entry["extrinsic"], 4),
        intrinsic=_matrix(entry["intrinsic"], 3),
        revision=_natural(entry["revision"]),
        crc=_natural(entry["crc"]),
    )


def _matrix(numbers: Any, columns: int) -> NDArray[np.float32]:
    matrix = np.array(numbers, np.float32).reshape(3, columns)
    if not np.isfinite(matrix).all():
        raise ValueError("a camera that is not finite")
    return matrix


def _natural(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a whole number from 0 up")
    return value


def _read(folder: Path, file: Path, crc: int) -> bytes:
    """A file that lies in the folder. Raises SessionError when it is not what was written."""
    try:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise SessionError(f"{file} lies outside the session")
        data = file.read_bytes()
    except OSError as error:
        raise SessionError(f"{file} cannot be read: {error.strerror}") from None
    if zlib.crc32(data) != crc:
        raise SessionError(f"{file} is damaged")
    return data
