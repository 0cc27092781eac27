"""What a function imported while it ran: libraries load parts of themselves on first use, and every child would again.

A child tells its parent through a pipe, in messages that the kernel does not split; the next child of the same function
finds those modules imported. Only installed modules are learned, never the user's own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

_MESSAGE = 4096
"""PIPE_BUF on Linux; POSIX allows less (512), where a longer message may be torn and is then left out."""


class Lessons:
    """One pipe: children write, the parent reads when it is about to fork again."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._learned: dict[str, dict[str, None]] = {}
        self._before: set[str] = set()

    def begin(self) -> None:
        """In the child, before the function is called."""
        self._before = set(sys.modules)

    def tell(self, function: str, own: Iterable[str]) -> None:
        """In the child, afterwards: `own` are the folders of the user's code."""
        names = [name for name in sys.modules if name not in self._before and _is_installed(name, tuple(own))]
        while names and len(message := json.dumps([function, names]).encode() + b"\n") > _MESSAGE:
            names = names[: len(names) // 2]
        if names:
            try:
                os.write(self._writing, message)
            except OSError:
                return  # nobody listens, or too many talk: the next child imports for itself

    def of(self, function: str) -> list[str]:
        """In the parent: what children of the function have imported so far."""
        for line in self._lines():
            try:
                about, names = json.loads(line)
            except ValueError:
                continue
            self._learned.setdefault(about, {}).update(dict.fromkeys(names))
        return list(self._learned.get(function, ()))

    def _lines(self) -> list[bytes]:
        try:
            return os.read(self._reading, 1 << 16).splitlines()
        except BlockingIOError:
            return []


def _is_installed(name: str, own: tuple[str, ...]) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    origin = getattr(spec, "origin", None)
    return spec is not None and spec.name == name and not (isinstance(origin, str) and origin.startswith(own))
