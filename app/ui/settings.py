"""What the window remembers from one time to the next."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

Value = TypeVar("Value", int, str, bool)


class Settings:
    """Named values in a file, or only in memory; a value that cannot be used is the default."""

    def __init__(self, file: Path | None = None) -> None:
        """file: an .ini file, made when something is set; None: nothing is kept."""
        self._memory: dict[str, object] = {}
        self._file = QSettings(str(file), QSettings.Format.IniFormat) if file else None

    def get(self, name: str, default: Value) -> Value:
        """The value, of the type of the default."""
        found = self._raw(name)
        try:
            if isinstance(default, bool):
                # The file holds texts only.
                return str(found).lower() == "true" if found is not None else default
            return type(default)(str(found)) if found is not None else default
        except (TypeError, ValueError):
            return default

    def set(self, name: str, value: int | str | bool) -> None:
        """Keep a value."""
        self._put(name, value)

    def get_bytes(self, name: str) -> QByteArray:
        """State that Qt made with `saveGeometry` or `saveState`; empty where there is none."""
        found = self._raw(name)
        return found if isinstance(found, QByteArray) else QByteArray()

    def set_bytes(self, name: str, value: QByteArray) -> None:
        """Keep state of Qt's."""
        self._put(name, value)

    def save(self) -> None:
        """Write the file now. A place that cannot be written is no fault: nothing is kept then."""
        if self._file:
            self._file.sync()

    def _raw(self, name: str) -> object:
        return self._file.value(name) if self._file else self._memory.get(name)

    def _put(self, name: str, value: object) -> None:
        if self._file:
            self._file.setValue(name, value)
        else:
            self._memory[name] = value


def user_settings() -> Settings:
    """Those of the user of this machine, in the user's folder for settings."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Settings(Path(folder) / "pocket-vggt" / "window.ini")
