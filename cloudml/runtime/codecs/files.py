"""Codecs of bytes and of paths: content that is stored as it is."""

from __future__ import annotations

import os
import shutil
from typing import Any

from cloudml.runtime.codecs.base import Codec, CodecError


def write_bytes(value: Any, path: str) -> None:
    """Store bytes, a bytearray or a memoryview."""
    with open(path, "wb") as file:
        file.write(value)


def read_bytes(path: str, type_name: str) -> bytes | bytearray:
    """The stored bytes."""
    with open(path, "rb") as file:
        content = file.read()
    return bytearray(content) if type_name == "bytearray" else content


def bytes_pieces(value: Any) -> tuple[memoryview, ...] | None:
    """The value's own memory, where it is one block."""
    view = memoryview(value)
    return (view,) if view.contiguous else None


def copy_path(value: Any, path: str) -> None:
    """Copy the file or folder that `value` names. Symbolic links are refused: their targets would stay behind.

    Raises:
        CodecError: nothing is there, or it is neither a file nor a folder.
    """
    source = os.fspath(value)
    if os.path.isdir(source):
        shutil.copytree(source, path, symlinks=True)
    elif os.path.isfile(source):
        shutil.copy2(source, path)
    else:
        raise CodecError(f"there is no file or folder at {source}")


def read_path(path: str, type_name: str) -> Any:
    """The path itself; the content stays where it is."""
    from pathlib import Path

    from cloudml.runtime.handles import HANDLES

    handle = HANDLES.get(type_name)
    return handle(path) if handle is not None else Path(path)


CODECS = (
    Codec("bytes", ("bytes", "bytearray"), "bin", ".bin", ("bin",), write_bytes, read_bytes, pieces=bytes_pieces),
    Codec(
        "path",
        ("pathlib.Path", "cloudml.Dataset", "cloudml.File", "cloudml.Model", "cloudml.Report"),
        "file",
        "",
        ("file",),
        copy_path,
        read_path,
    ),
)
