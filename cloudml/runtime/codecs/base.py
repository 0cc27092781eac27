"""What a codec is, and what it says when it cannot do its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class CodecError(TypeError):
    """A value cannot be stored, or a stored one cannot be read as the declared type."""


class UnknownType(CodecError):
    """No codec knows the type."""


class Codec(NamedTuple):
    """How values of some types become a file and come back.

    `types` are public dotted names; `format` names the encoding and `suffix` the file's ending; `reads` are the
    formats that `read` understands. `write(value, path)` makes the file; `read(path, type_name)` gives a value of the
    declared type. A codec whose file is, byte for byte, memory that the value holds anyway may offer `pieces`: the
    same content as `write` would make, in order, or None for a value that it must be copied from. Large ones are
    written and hashed side by side. One whose `read` can run code from the file says `verify_first`: it sees only
    content that was verified.
    """

    name: str
    types: tuple[str, ...]
    format: str
    suffix: str
    reads: tuple[str, ...]
    write: Callable[[Any, str], None]
    read: Callable[[str, str], Any]
    pieces: Callable[[Any], Sequence[memoryview] | None] | None = None
    verify_first: bool = False
