"""How Google is asked by whoever calls, so that one piece of code serves jobs and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

__all__ = ["Document", "Failed", "Google", "overlaid"]

Document = dict[str, Any]


class Failed(Exception):
    """What was asked did not happen; the text says why and what to do."""


class Google(Protocol):
    """RPCs by service and method; documents are proto JSON with the fields' own names. Errors are the caller's own.

    The module `cloudml_vertex.container.google` is one, in jobs; so is the command line's client.
    """

    def call(self, rpc: str, /, **request: Any) -> Document:
        """One call; an operation is waited for, and its response returned."""

    def find(self, rpc: str, /, **request: Any) -> Document | None:
        """What a Get tells; None when there is no such thing."""

    def pages(self, rpc: str, member: str, /, **request: Any) -> Iterator[Any]:
        """The entries of all pages of a List, which are its answers' `member`."""

    def start(self, rpc: str, /, **request: Any) -> Document:
        """One call; of an operation, its first state."""

    def wait(self, name: str, seconds: float = ...) -> Document:
        """The response of an operation."""


def overlaid(document: Document, fragments: Iterable[Mapping[str, Any]]) -> Document:
    """The document with the author's native fragments merged into it, member by member, lists whole."""
    found = dict(document)
    for fragment in fragments:
        for key, value in fragment.items():
            inner = found.get(key)
            both = isinstance(inner, Mapping) and isinstance(value, Mapping)
            found[key] = overlaid(dict(inner), [value]) if both and inner is not None else value
    return found
