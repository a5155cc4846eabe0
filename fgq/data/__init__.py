"""Procedural training scenes, their shards on disk, and posed sequences of photographs."""

from fgq.data.errors import DataError
from fgq.data.shards import Shards, open_shards, write_shards

__all__ = ["DataError", "Shards", "open_shards", "write_shards"]
