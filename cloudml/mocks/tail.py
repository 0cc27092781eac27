"""Logs of containers, followed as they are written: one thread of a mock looks after all files that grow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudml.mocks.world import BaseWorld

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""Real seconds between two looks at the files: what a person who follows a log does not notice."""
_READ = 1 << 18

Send = Callable[[Sequence[str]], None]
"""Told the lines that were read, in order and without empty ones, at most every look."""


class Tail:
    """One file that grows. `stop` tells the rest; a line of more than `line_bytes` bytes is told in pieces."""

    def __init__(self, world: BaseWorld, path: Path, send: Send, line_bytes: int) -> None:
        self._world = world
        self.path = path
        self._send = send
        self._line_bytes = line_bytes
        self._offset = 0
        self._rest = b""
        self._lock = threading.Lock()

    def look(self, *, last: bool = False) -> None:
        """Tell what the file has more than at the last look; a line without its end waits until `last`."""
        with self._lock:
            while data := self._read():
                self._tell(self._split(data))
            if last and self._rest:
                self._tell(self._split(b"\n"))

    def stop(self) -> None:
        """Tell all that is left. May be called more than once."""
        _tailer(self._world).drop(self)
        self.look(last=True)

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_READ)
        except FileNotFoundError:
            return b""
        self._offset += len(data)
        return data

    def _split(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        size = self._line_bytes
        if len(self._rest) > size:
            whole.append(self._rest)
            self._rest = b""
        pieces = (line[at : at + size] for line in whole for at in range(0, len(line), size))
        return [piece.decode(errors="replace").rstrip("\r") for piece in pieces]

    def _tell(self, found: Sequence[str]) -> None:
        lines = [line for line in found if line]
        if lines:
            self._send(lines)


class _Tailer:
    """Looks at every file under way while there is one; its thread ends with the last."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._tails: list[Tail] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, tail: Tail) -> None:
        with self._lock:
            self._tails.append(tail)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mock-logs", daemon=True)
                self._thread.start()

    def drop(self, tail: Tail) -> None:
        with self._lock:
            if tail in self._tails:
                self._tails.remove(tail)

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            with self._lock:
                present = list(self._tails)
                if not present:
                    self._thread = None
                    return
            for tail in present:
                try:
                    tail.look()
                except Exception:
                    log.exception("what %s says could not be told", tail.path)


def _tailer(world: BaseWorld) -> _Tailer:
    found: _Tailer = world.rooms.setdefault("logs", _Tailer(world.closing))
    return found


def follow(world: BaseWorld, path: Path, send: Send, line_bytes: int) -> Tail:
    """Tell `send` what is written to the file `path`, as it is written, until `stop` is called.

    Lines longer than `line_bytes` bytes are cut; bytes that are no UTF-8 are replaced.
    """
    tail = Tail(world, path, send, line_bytes)
    _tailer(world).add(tail)
    return tail
