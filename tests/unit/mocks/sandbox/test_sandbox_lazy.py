"""A sandbox that is opened when it is needed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, LazySandbox, lazy, open_sandbox
from cloudml.mocks.sandbox.namespaces import NamespaceSandbox


def command(folder: Path) -> Command:
    return Command(argv=("/bin/true",), env={}, mounts=(), log=folder / "log")


def test_it_is_opened_once_and_only_when_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(kind: str = "auto") -> object:
        opened.append(kind)
        return open_sandbox(kind)

    monkeypatch.setattr(lazy, "open_sandbox", counted)
    with LazySandbox() as sandbox:
        assert opened == []
        for _ in range(2):
            process = sandbox.start(command(tmp_path))
            assert process.wait(10) == 0
            process.close()
        assert sandbox.kind in {"namespaces", "paths"}
        assert sandbox.reason
        assert opened == ["auto"]


def test_nothing_starts_once_it_is_closed(tmp_path: Path) -> None:
    sandbox = LazySandbox()
    sandbox.close()
    with pytest.raises(OSError, match="closed"):
        sandbox.start(command(tmp_path))


def test_a_job_that_comes_too_late_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = tempfile.TemporaryDirectory
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **given: made.append(given["prefix"]) or real(**given))
    sandbox = NamespaceSandbox()
    sandbox.close()
    with pytest.raises(Refused, match="closed"):
        sandbox.start(Command(("/bin/true",), {}, (), tmp_path / "log", hosts=("algo-1",)))
    assert made == []
