"""The log of a session, open for appending by one program at a time."""

import contextlib
import os
from pathlib import Path
from typing import Any

from app.sessions.layout import encode_record

try:
    import fcntl
except ImportError:  # Windows: two programs that record to one folder are not told apart
    fcntl = None  # type: ignore[assignment]


class Log:
    """Appends whole lines. All methods raise OSError."""

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError while another program has it open."""
        self._file = open(path, "ab+", buffering=0)  # noqa: SIM115
        try:
            if fcntl:
                # Ends with the process, however that ends.
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # What a crash left of a line must not spoil the next one.
            if self._file.seek(0, os.SEEK_END):
                self._file.seek(-1, os.SEEK_END)
                if self._file.read(1) != b"\n":
                    self._write(b"\n")
        except OSError:
            self._file.close()
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Add a record; on a full disk, nothing of it stays."""
        self._write(encode_record(record))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        size = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise
