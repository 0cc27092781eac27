"""Real endpoints in a state folder whose path has a space and letters beyond ASCII; nothing outlives its test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.manager import EndpointManager

STUB = """
import os
import time

def predict(model, rows):
    answers = []
    for row in rows:
        if row["x"] == 13:
            raise ValueError("an unlucky number")
        if row["x"] == 99:
            os._exit(7)
        if row["x"] == 55:
            time.sleep(1.5)
        answers.append(row["x"] * model["factor"])
    return answers

def crash(model, rows):
    print("the reason is in the log", flush=True)
    os._exit(5)

def never(model, rows):
    time.sleep(600)

def environment(model, rows):
    return [os.environ.get("GREETING", "") + str(os.environ.get("AIP_HTTP_PORT")) for row in rows]
"""


def processes_naming(text: str) -> list[int]:
    """Processes whose command line holds the text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(text) in command:
                found.append(int(entry.name))
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    import joblib  # type: ignore[import-untyped]

    folder = tmp_path / "projekt ž"
    folder.mkdir()
    (folder / "stub.py").write_text(STUB)
    for factor in range(1, 6):
        joblib.dump({"factor": factor}, folder / f"model{factor}.joblib")
    return folder


@pytest.fixture
def deployment(project: Path) -> Callable[..., Deployment]:
    """Version n multiplies by n."""

    def make(version: int, **changes: Any) -> Deployment:
        fields: dict[str, Any] = {
            "model": "multiplier",
            "version": version,
            "digest": f"sha256:{version:064x}",
            "model_path": str(project / f"model{version}.joblib"),
            "predictor": "stub:predict",
            "project": str(project),
            "sample": ({"x": 1},),
            "request_timeout": 20.0,
        }
        return Deployment(**{**fields, **changes})

    return make


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "stäte of things"


@pytest.fixture
def running(tmp_path: Path) -> Callable[[], list[int]]:
    """The processes that name this test's folder: its routers and model servers."""
    return lambda: processes_naming(str(tmp_path))


@pytest.fixture
def manager(state: Path, running: Callable[[], list[int]]) -> Iterator[EndpointManager]:
    found = EndpointManager(state)
    yield found
    for status in found.list():
        found.stop(status.name)
    for pid in running():
        os.kill(pid, signal.SIGKILL)
