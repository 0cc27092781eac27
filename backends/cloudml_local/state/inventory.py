"""Digests of the user's own files, remembered by what the filesystem says of them: a rerun need not read them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from cloudml.runtime.digest import measure
from cloudml_local.state.database import Database

SETTLED = 2.0
"""A file changed less than this many seconds ago may change again without its time stamp showing it."""


class Inventory:
    def __init__(self, database: Database) -> None:
        self._database = database

    def measure(self, path: Path) -> tuple[str, int]:
        """The digest and size of a file or directory; directories are always read."""
        if path.is_dir():
            return measure(path)
        stamp = _stamp(path)
        row = self._database.row("SELECT * FROM digests WHERE path = ?", str(path))
        if row is not None and row["stamp"] == stamp:
            return row["digest"], row["size"]
        digest, size = measure(path)
        if stamp == _stamp(path) and abs(time.time() - path.stat().st_mtime) > SETTLED:
            self._database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", str(path), stamp, digest, size)
        return digest, size


def _stamp(path: Path) -> str:
    found = os.stat(path)
    return json.dumps([found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns])
