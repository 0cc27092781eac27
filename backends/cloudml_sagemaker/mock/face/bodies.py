"""Bodies of requests in the journal: small ones in its lines, larger ones in files named by their SHA-256."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

INLINE = 8192
"""Bytes of a body that still stand in the journal itself."""


class Bodies:
    """The files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        """Make the folder. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, body: bytes) -> tuple[Entry, Path | None]:
        """The entry's members that tell of the body, and its file if it is new. Raises OSError, and leaves nothing."""
        if len(body) <= INLINE:
            return {"body": base64.b64encode(body).decode()}, None
        name = hashlib.sha256(body).hexdigest()
        path = self._folder / name
        if path.exists():
            return {"file": name}, None
        partial = path.with_suffix(f".{threading.get_ident()}")
        try:
            partial.write_bytes(body)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return {"file": name}, path

    def load(self, entry: Entry) -> bytes:
        """The body of an entry. Raises OSError when it is lost or is no longer what it was."""
        if "file" not in entry:
            return base64.b64decode(entry.get("body", ""))
        body = (self._folder / Path(entry["file"]).name).read_bytes()
        if hashlib.sha256(body).hexdigest() != entry["file"]:
            raise OSError(f"the content of {entry['file']} is no longer what it was")
        return body

    def sweep(self, entries: Iterable[Entry]) -> None:
        """Remove what no entry needs."""
        needed = {entry.get("file") for entry in entries}
        for path in self._folder.iterdir():
            if path.name not in needed:
                path.unlink(missing_ok=True)
