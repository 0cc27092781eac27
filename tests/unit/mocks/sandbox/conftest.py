"""Sandboxes to test, and a short way to say what is to run in them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, Sandbox, open_sandbox

MakeCommand = Callable[..., Command]
SECONDS = 20.0


def _open(kind: str) -> Sandbox:
    try:
        return open_sandbox(kind)
    except Refused as refusal:
        pytest.skip(str(refusal))


@pytest.fixture(params=["namespaces", "paths"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """What both kinds promise is tested with each."""
    with _open(request.param) as opened:
        yield opened


@pytest.fixture
def namespaces() -> Iterator[Sandbox]:
    with _open("namespaces") as opened:
        yield opened


@pytest.fixture
def paths() -> Iterator[Sandbox]:
    with _open("paths") as opened:
        yield opened


@pytest.fixture
def shell(tmp_path: Path) -> MakeCommand:
    """A command that runs a line of shell, its log at `tmp_path / "log"`."""

    def make(line: str, **fields: Any) -> Command:
        env = {"PATH": os.environ["PATH"], **fields.pop("env", {})}
        return Command(
            argv=("/bin/sh", "-c", line), env=env, mounts=fields.pop("mounts", ()), log=tmp_path / "log", **fields
        )

    return make


@pytest.fixture
def python(tmp_path: Path) -> MakeCommand:
    """A command that runs a Python program."""

    def make(program: str, *words: str, **fields: Any) -> Command:
        argv = (sys.executable, "-I", "-S", "-u", "-c", program, *words)
        env = fields.pop("env", {})
        return Command(argv=argv, env=env, mounts=fields.pop("mounts", ()), log=tmp_path / "log", **fields)

    return make


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition of real processes; fails after a while."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)

    return wait
