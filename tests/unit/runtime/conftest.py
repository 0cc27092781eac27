"""A project of user code and envelopes for its functions."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudml.runtime.main import run


class Workbench:
    """One attempt's folders; `run` builds the envelope, runs it in this process and returns the result."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "project with spaces ž"
        self.project.mkdir()
        self.attempt = root / "attempt"
        self.attempt.mkdir()
        self.exit_code = -1

    def module(self, source: str, name: str = "steps") -> str:
        """Write a module of the project and return its unique name (modules of other tests stay loaded)."""
        unique = f"{name}_{abs(hash(self.root))}"
        (self.project / f"{unique}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        sys.modules.pop(unique, None)
        return unique

    def envelope(self, function: str, **parts: Any) -> Path:
        document = {
            "version": 1,
            "run": "test-1",
            "step": parts.pop("step", "step"),
            "attempt": 1,
            "function": function,
            "paths": [str(self.project)],
            "inputs": [],
            "arguments": {},
            "secrets": {},
            "outputs": [],
            "output_dir": str(self.attempt / "outputs"),
            "result": str(self.attempt / "result.json"),
            "reports": str(self.attempt / "reports.jsonl"),
            "progress": str(self.attempt / "progress.json"),
            "checkpoint": None,
            "pruning": None,
            "threads": None,
            "seed": None,
            **parts,
        }
        path = self.root / "envelope.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def run(self, source: str, function: str = "f", **parts: Any) -> dict[str, Any]:
        module = self.module(source)
        self.exit_code = run(str(self.envelope(f"{module}:{function}", **parts)))
        result: dict[str, Any] = json.loads((self.attempt / "result.json").read_text(encoding="utf-8"))
        return result


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Workbench(tmp_path)


@pytest.fixture
def output() -> Callable[..., dict[str, Any]]:
    def make(type_name: str, name: str = "output", mode: str = "value", fields: tuple[str, ...] = ()) -> dict[str, Any]:
        return {"name": name, "type": type_name, "mode": mode, "fields": list(fields)}

    return make
