"""A failure through the one kilobyte that SageMaker keeps of it: written in the container, read back here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudml_sagemaker.container.platform import LIMIT, tell
from cloudml_sagemaker.results import read_message

TRACE = (
    'Traceback (most recent call last):\n  File "steps.py", line 3, in fit\n    raise ValueError("no")\nValueError: no'
)


def failed(kind: str = "error", message: str = "no", trace: str = TRACE) -> dict[str, Any]:
    return {"class": kind, "exception": "ValueError", "message": message, "traceback": trace, "where": "steps.py:3",
            "bases": []}  # fmt: skip


def through(place: Path, failure: dict[str, Any]) -> dict[str, Any]:
    tell(place, failure)
    assert len(place.read_bytes()) <= LIMIT
    return read_message(place.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["error", "timeout", "memory", "crash"])
def test_class_and_traceback_survive(tmp_path: Path, kind: str) -> None:
    assert through(tmp_path / "message", failed(kind)) == failed(kind)


def test_of_a_long_traceback_the_end_is_kept_in_whole_lines(tmp_path: Path) -> None:
    long = "\n".join(f"line {number}" for number in range(500))
    found = through(tmp_path / "message", failed(trace=long))
    assert found["message"] == "no"
    lines = found["traceback"].splitlines()
    assert lines[-1] == "line 499" and len(lines) > 50
    assert set(lines) <= set(long.splitlines())


def test_a_long_message_leaves_no_room_for_more(tmp_path: Path) -> None:
    found = through(tmp_path / "message", failed(message="é" * 2000))
    assert found["message"].startswith("ééé") and found["traceback"] == ""


def test_a_container_of_somebody_else_s() -> None:
    found = read_message("disk full\nsee the manual\n")
    assert (found["class"], found["message"], found["traceback"]) == ("error", "disk full", "")
