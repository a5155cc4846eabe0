"""A reconstruction as files: a folder of our own, and the forms that other programs read."""

from app.export.folder import read_reconstruction, write_reconstruction
from app.export.formats import FORMATS, Format, export_as
from app.export.selection import Selection

__all__ = [
    "FORMATS",
    "Format",
    "Selection",
    "export_as",
    "read_reconstruction",
    "write_reconstruction",
]
