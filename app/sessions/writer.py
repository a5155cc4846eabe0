"""Records a session while it is captured; a crash at any moment loses a few frames at most."""

import contextlib
import errno
import json
import queue
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from app.capture import Decision, Frame
from app.capture._cv2 import cv2
from app.files import new_folder
from app.reconstruction.keyframe import Keyframe
from app.sessions.layout import (
    DEPTH,
    FORMAT,
    FRAMES,
    LOG,
    MANIFEST,
    VERSION,
    depth_file,
    image_file,
    is_session,
    place_file,
)
from app.sessions.log import Log
from app.sessions.reader import Session, SessionError, open_session
from app.sessions.source import Continuation

WAITING = 4
"""Frames that may wait to be written: what a crash can lose."""

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90]
# Level 1 and one filter: half the time of level 1 alone.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
_LARGEST = float(np.finfo(np.float16).max)


class SessionWriter:
    """Appends to a session. A thread of its own encodes and writes.

    `add_frame` and `set_keyframes` may be called from different threads. They wait when the disk
    does not keep up, and raise SessionError, one line, once it is full or gone; what was written
    before stays readable, and `resume` goes on with it.
    """

    def __init__(self, folder: Path | str, source: str, settings: dict[str, Any]) -> None:
        """Create a session. source: what is recorded; settings: plain values, kept with it.

        Raises SessionError when the folder holds something else or cannot be written.
        """
        _create(Path(folder), source, settings)
        self._begin(open_session(folder))

    @classmethod
    def resume(cls, folder: Path | str) -> Self:
        """Go on with a session, even one that was cut off.

        Frames that it has are passed over when the same source is read once more; frames of
        another (a camera, whose count begins anew) are put after the last one. Raises SessionError
        as `open_session` does, and when another program is recording to it.
        """
        writer = cls.__new__(cls)
        writer._begin(open_session(folder))
        return writer

    def _begin(self, session: Session) -> None:
        self.folder = session.folder
        self._continuation = Continuation(session)
        # Of each keyframe's depth file that the log tells of: revision and CRC.
        self._depths = {i: (pose.revision, pose.crc) for i, pose in session.poses.items()}
        self._written: dict[int, Keyframe] = {}
        self._failure: SessionError | None = None
        self._told = False
        self._queue: queue.Queue[tuple[Frame, Decision] | list[Keyframe] | None]
        self._queue = queue.Queue(WAITING)
        try:
            self._log = Log(self.folder / LOG)
            self._log.append({"kind": "begin"})
        except BlockingIOError:
            raise SessionError(f"{self.folder} is being recorded by another program") from None
        except OSError as error:
            raise _refusal(self.folder, error) from None
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def add_frame(self, frame: Frame, decision: Decision) -> None:
        """Record a frame that was looked at; its image must not change afterwards."""
        placed = self._continuation.place(frame)
        if placed is not None:
            self._put((placed, decision))

    def set_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """Record all keyframes as they are now: those that are missing were taken back.

        Only what is new is written: depth and confidence are when they are other arrays than last
        time.
        """
        self._put([self._continuation.place_keyframe(keyframe) for keyframe in keyframes])

    def close(self) -> None:
        """Write what waits and end the capture. Raises SessionError that no call has raised yet."""
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._thread.join()
        self._log.close()
        if not self._told:
            self._raise_failure()

    def _put(self, item: tuple[Frame, Decision] | list[Keyframe]) -> None:
        self._raise_failure()
        self._queue.put(item)

    def _raise_failure(self) -> None:
        if self._failure:
            self._told = True
            raise self._failure

    def _work(self) -> None:
        ended = False
        while not ended:
            item = self._queue.get()
            ended = item is None
            # After a failure the queue is still emptied: nobody may wait for it for ever.
            if self._failure is None:
                try:
                    self._write(item)
                except OSError as error:
                    self._failure = _failure(self.folder, error)
                except Exception as error:
                    self._failure = SessionError(f"recording to {self.folder} failed: {error}")
            if self._failure:
                self._log.close()

    def _write(self, item: tuple[Frame, Decision] | list[Keyframe] | None) -> None:
        if item is None:
            self._log.append({"kind": "end"})
        elif isinstance(item, tuple):
            self._write_frame(*item)
        else:
            self._write_keyframes({keyframe.index: keyframe for keyframe in item})

    def _write_frame(self, frame: Frame, decision: Decision) -> None:
        kind, options = (".png", _PNG) if decision.accepted else (".jpg", _JPEG)
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(kind, image, options)[1].tobytes()
        place_file(image_file(self.folder, frame.index, decision.accepted), data)
        self._log.append(
            {
                "kind": "frame",
                "index": frame.index,
                "time": frame.time,
                "name": frame.name,
                "keyframe": decision.accepted,
                "reason": decision.reason,
                "bytes": len(data),
                "crc": zlib.crc32(data),
            }
        )

    def _write_keyframes(self, keyframes: dict[int, Keyframe]) -> None:
        changed = [k for i, k in keyframes.items() if not _same(self._written.get(i), k)]
        depths = {keyframe.index: self._write_depth(keyframe) for keyframe in changed}
        removed = sorted(self._depths.keys() - keyframes.keys())
        if not changed and not removed:
            return
        entries = [_entry(keyframe, *depths[keyframe.index]) for keyframe in changed]
        self._log.append({"kind": "keyframes", "set": entries, "removed": removed})
        before = self._depths
        self._written = keyframes
        self._depths = {i: depths.get(i) or before[i] for i in keyframes}
        # Only now that the log tells of their successors.
        for index, depth in before.items():
            if self._depths.get(index) != depth:
                with contextlib.suppress(OSError):
                    depth_file(self.folder, index, depth[0]).unlink()

    def _write_depth(self, keyframe: Keyframe) -> tuple[int, int]:
        """Revision and CRC of the file with depth and confidence as they are now."""
        index, before = keyframe.index, self._written.get(keyframe.index)
        if before and before.depth is keyframe.depth and before.confidence is keyframe.confidence:
            return self._depths[index]
        maps = np.clip([keyframe.depth, keyframe.confidence], 0, _LARGEST)
        data = maps.astype("<f2").tobytes()
        revision = self._depths[index][0] + 1 if index in self._depths else 0
        place_file(depth_file(self.folder, index, revision), data)
        return revision, zlib.crc32(data)


def _create(folder: Path, source: str, settings: dict[str, Any]) -> None:
    if is_session(folder):
        raise SessionError(f"{folder} is a session already: resume it, or choose another folder")
    if Path(source).exists():
        source = str(Path(source).resolve())
    manifest = {"format": FORMAT, "version": VERSION, "source": source, "settings": settings}
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SessionError(f"{folder} exists and is not empty: choose another folder")
        with new_folder(folder) as new:
            (new / FRAMES).mkdir()
            (new / DEPTH).mkdir()
            (new / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
            (new / LOG).touch()
    except OSError as error:
        raise _refusal(folder, error) from None


def _entry(keyframe: Keyframe, revision: int, crc: int) -> dict[str, Any]:
    """What the log says of a keyframe."""
    return {
        "index": keyframe.index,
        "time": keyframe.time,
        "name": keyframe.name,
        "size": keyframe.depth.shape,
        "extrinsic": keyframe.extrinsic.ravel().tolist(),
        "intrinsic": keyframe.intrinsic.ravel().tolist(),
        "revision": revision,
        "crc": crc,
    }


def _same(before: Keyframe | None, now: Keyframe) -> bool:
    """Whether nothing of a keyframe changed."""
    return (
        before is not None
        and before.depth is now.depth
        and before.confidence is now.confidence
        and np.array_equal(before.extrinsic, now.extrinsic)
        and np.array_equal(before.intrinsic, now.intrinsic)
    )


def _refusal(folder: Path, error: OSError) -> SessionError:
    return SessionError(f"cannot record to {folder}: {error.strerror or error}")


def _failure(folder: Path, error: OSError) -> SessionError:
    """What to say of an error in the middle of a recording."""
    if error.errno == errno.ENOSPC:
        why, remedy = "the disk is full", "free some space and resume it"
    else:
        why, remedy = error.strerror or str(error), "resume it when that is put right"
    return SessionError(f"{folder}: {why}; what was recorded is kept, {remedy}")
