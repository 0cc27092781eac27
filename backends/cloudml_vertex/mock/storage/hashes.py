"""Checksums: MD5 and CRC32C in base64, as object resources and `x-goog-hash` have them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cloudml_vertex.mock.storage.errors import invalid

PIECE = 1 << 20
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class Sums:
    """Both checksums of a content; a composed object has no MD5 (then "")."""

    md5: str
    crc32c: str


class Summing:
    """Takes a content piece by piece."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc = _crc32c()

    def update(self, piece: bytes | memoryview) -> None:
        """The next piece."""
        self._md5.update(piece)
        self._crc.update(bytes(piece))

    def done(self) -> Sums:
        """The checksums of all pieces."""
        return Sums(_text(self._md5.digest()), _text(self._crc.digest()))


def pieces(file: BinaryIO, size: int = -1) -> Iterator[bytes]:
    """The file's content from where it stands, `size` bytes (-1: to its end)."""
    while size and (piece := file.read(PIECE if size < 0 else min(PIECE, size))):
        yield piece
        size -= len(piece) if size > 0 else 0


def write(draft: Path, body: bytes | memoryview) -> Sums:
    """Write the body into a draft, and sum it up."""
    summing = Summing()
    view = memoryview(body)
    with draft.open("wb") as file:
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE]
            file.write(piece)
            summing.update(piece)
    return summing.done()


def of_file(path: Path) -> Sums:
    """The checksums of a file. Raises OSError."""
    summing = Summing()
    with path.open("rb") as file:
        for piece in pieces(file):
            summing.update(piece)
    return summing.done()


def verify(sums: Sums, given: Mapping[str, Any], header: str = "") -> None:
    """Compare with what the client said, in the object's resource (`md5Hash`, `crc32c`) or in `x-goog-hash`.

    Raises StorageError (400, as https://cloud.google.com/storage/docs/data-validation has it).
    """
    said: list[tuple[str, Any, str]] = [
        ("MD5", given.get("md5Hash"), sums.md5),
        ("CRC32C", given.get("crc32c"), sums.crc32c),
    ]
    for part in filter(None, (part.strip() for part in header.split(","))):
        kind, _, value = part.partition("=")
        if kind.lower() not in {"md5", "crc32c"}:
            raise invalid(f"Invalid x-goog-hash: {kind[:20]!r} is neither crc32c nor md5.")
        said.append((kind.upper(), value, sums.md5 if kind.lower() == "md5" else sums.crc32c))
    for kind, value, is_ in said:
        if value is not None and value != is_:
            raise invalid(f"Provided {kind} hash {str(value)[:50]!r} doesn't match calculated {kind} hash {is_!r}.")


def _crc32c() -> Any:
    import google_crc32c  # comes with Google's storage client

    library: Any = google_crc32c
    return library.Checksum()


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
