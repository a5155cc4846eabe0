"""Files: folders that are never half-written under their real name, and hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a file under a temporary name beside its place and rename it. Raises OSError, and
    then leaves nothing behind."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(f"cannot save {path}: {error.strerror}") from error


@contextmanager
def replacing_folder(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its place when the block ends well.

    A folder already there is replaced only if it is empty or holds the file `marker`: then it is
    an earlier result of the same kind. Raises FileExistsError otherwise; OSError, which names
    `folder`, if it cannot be written.
    """
    place = Path(os.path.abspath(folder))
    require_replaceable(place, marker)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    old = place.with_name(f".{place.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        yield part
        if place.exists():
            place.replace(old)
        part.replace(place)
    except OSError as error:
        # Nobody knows the temporary names.
        raise OSError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if not place.exists() and old.exists():
            old.replace(place)
        shutil.rmtree(old, ignore_errors=True)


def require_replaceable(folder: Path, marker: str) -> None:
    """Raise FileExistsError if `replacing_folder` would not replace what is there."""
    if not folder.exists():
        return
    if not folder.is_dir() or not ((folder / marker).is_file() or not any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and holds something else: choose another place")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
