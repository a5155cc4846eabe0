"""Files and folders that appear whole or not at all."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import AppError

# It can only be read by setting it, which no other thread may see.
_UMASK = os.umask(0)
os.umask(_UMASK)


def write_file(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside its place and rename it. Raises OSError."""
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = str(path)  # nobody knows the temporary one
        raise


def check_output(folder: Path, mark: str, kind: str) -> None:
    """Raises AppError rather than let `folder` be replaced where it is something else.

    mark: the file that every folder of this kind has; kind: what it is called, such as "an export".
    """
    if folder.exists() and not folder.is_dir():
        raise AppError(f"{folder} exists and is not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise AppError(f"{folder} holds other things than {kind}: choose another place")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` at the end, replacing what is there.

    An exception inside leaves `path` as it was and nothing else behind. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    old = temporary.with_name(temporary.name + ".old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_UMASK)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    except BaseException as error:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        # A write to a full disk names no file.
        if isinstance(error, OSError) and str(error.filename or temporary).startswith(
            str(temporary)
        ):
            error.filename = str(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def json_bytes(document: Any) -> bytes:
    """A document of dicts, lists, numpy arrays and plain values as indented JSON, which has no NaN:
    null instead."""
    return json.dumps(_plain(document), indent=1).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
