"""The fake world in the place of the real operations, and a way to call one command in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cli_world import Invoke, Result, World, fake_operations

from cloudml.cli import main


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """The fake world, in the place of the real operations."""
    made = World()
    for name, module in fake_operations(made, tmp_path).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    return made


@pytest.fixture
def cloudml(capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run one command line in this process."""

    def call(*words: str) -> Result:
        code = main(list(words))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call
