"""A run killed at any moment: what `resume` makes of it is what an undisturbed run makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHUNK = 50
CHAOS = Path(__file__).with_name("chaos.py")
NOTES = {
    "numbers", "square_sum", "twice[0]", "twice[1]", "twice[2]", "twice[3]", "add", "size_of", "bye",
    *(f"trial-{number}" for number in range(6)),
}  # fmt: skip


def chaos(folder: Path, first: int, count: int, how: str) -> list[dict[str, Any]]:
    """What came of `count` kills. The undisturbed run is held against the pipeline's source here."""
    done = subprocess.run(
        [sys.executable, str(CHAOS), str(folder), str(first), str(count), how],
        env={**os.environ, "PYTHONPATH": str(CHAOS.parent)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calm, *attempts = [json.loads(line) for line in done.stdout.splitlines()]
    assert calm["counts"] == dict.fromkeys(NOTES, 1)
    skipped = [name for name, state in calm["states"].items() if state != "succeeded"]
    assert skipped == ["fail_1"]
    assert len(attempts) == count
    return attempts


def troubles(attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attempts with anything wrong."""
    return [
        one
        for one in attempts
        if one["code"] != 0
        or one["differs"]
        or one["again"]
        or one["damaged"]
        or one["integrity"] != "ok"
        or one["strays"]
    ]


@pytest.mark.parametrize("chunk", [0, *(pytest.param(chunk, marks=pytest.mark.slow) for chunk in range(1, 4))])
def test_a_killed_driver_leaves_a_run_that_resumes_to_the_same_results(chunk: int, tmp_path: Path) -> None:
    attempts = chaos(tmp_path / "world", chunk * CHUNK, CHUNK, "driver")
    assert troubles(attempts) == []
    assert sum(one["killed"] for one in attempts) >= CHUNK // 2, "most kills must hit a living driver"
    assert sum(0 < one["ended"] < len(NOTES) for one in attempts) >= CHUNK // 4, "many must hit it at its work"


@pytest.mark.parametrize("how", ["group", "zygote", "worker"])
def test_whatever_is_killed_the_run_ends_with_the_same_results(how: str, tmp_path: Path) -> None:
    assert troubles(chaos(tmp_path / "world", 1000, 10, how)) == []
