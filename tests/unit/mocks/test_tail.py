"""The end of a file that grows: lines are told once, whole, in order."""

from __future__ import annotations

import threading
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.tail import follow


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.told = threading.Condition()

    def __call__(self, lines: Sequence[str]) -> None:
        with self.told:
            self.lines += lines
            self.told.notify_all()

    def wait_for(self, count: int) -> None:
        with self.told:
            assert self.told.wait_for(lambda: len(self.lines) >= count, 10), self.lines


@pytest.fixture
def world() -> Iterator[Any]:
    made = types.SimpleNamespace(closing=threading.Event(), rooms={})
    yield made
    made.closing.set()


def test_lines_are_told_as_they_are_written_and_the_rest_at_the_end(world: Any, tmp_path: Path) -> None:
    path, listener = tmp_path / "log", Listener()
    tail = follow(world, path, listener, 100)  # the file is not there yet
    path.write_bytes(b"one\r\n\ntwo\nhal")
    listener.wait_for(2)
    assert listener.lines == ["one", "two"]
    with path.open("ab") as file:
        file.write(b"f\nlast")
    tail.stop()
    tail.stop()
    assert listener.lines == ["one", "two", "half", "last"]


def test_long_lines_are_cut_and_what_is_no_utf8_is_replaced(world: Any, tmp_path: Path) -> None:
    path, listener = tmp_path / "log", Listener()
    path.write_bytes(b"abcdefghij\n\xff\n")
    follow(world, path, listener, 4).stop()
    assert listener.lines == ["abcd", "efgh", "ij", "\ufffd"]


def test_one_listener_that_fails_does_not_stop_the_others(world: Any, tmp_path: Path) -> None:
    def fail(lines: Sequence[str]) -> None:
        raise OSError(lines)

    listener = Listener()
    for name, send in (("a", fail), ("b", listener)):
        (tmp_path / name).write_text("x\n")
        follow(world, tmp_path / name, send, 10)
    listener.wait_for(1)
