"""A platform without a cloud, and jobs on it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_platform import Folders, Plain

from cloudml.jobs.context import Context, Stopping
from cloudml.jobs.main import run
from cloudml.jobs.sources import Sources


@pytest.fixture
def platform(tmp_path: Path) -> Plain:
    return Plain(Folders(tmp_path / "cloud"))


@pytest.fixture
def context(platform: Plain, tmp_path: Path) -> Context:
    """Of a control step, whose values are told by `--set`."""
    work = tmp_path / "work"
    (work / "project").mkdir(parents=True)
    sources = Sources(platform.layout, work)
    return Context(platform, work, {}, Stopping(), sources, {"step": "watched", "project": "shop", "prefix": "x://y"})


@pytest.fixture
def job(platform: Plain, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """`job(step, "key=value")`: a job's exit code. `project` holds a module `plain_steps`."""
    code, work = tmp_path / "code", tmp_path / "work"
    code.mkdir()
    (work / "project").mkdir(parents=True)
    source = "def double(x: int) -> int:\n    return 2 * x\n\ndef fails() -> int:\n    raise OSError('no disk')\n"
    (work / "project" / "plain_steps.py").write_text(source)
    before, paths = signal.getsignal(signal.SIGTERM), list(sys.path)

    def play(step: dict[str, Any], *sets: str) -> int:
        (code / "step.json").write_text(json.dumps({"version": 1, "kind": "job", "step": "work", **step}))
        return run(platform, str(code), str(work), [word for one in sets for word in ("--set", one)])

    yield play
    signal.signal(signal.SIGTERM, before)
    sys.path[:] = paths
