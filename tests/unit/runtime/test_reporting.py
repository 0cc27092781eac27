from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.runtime.envelope import Envelope, parse_envelope
from cloudml.runtime.failures import TrialPruned
from cloudml.runtime.reporting import Recorder, checkpoint_dir, progress, record_to, report


def envelope(folder: Path, **parts: Any) -> Envelope:
    places = {name: str(folder / name) for name in ("output_dir", "result", "reports", "progress")}
    return parse_envelope({"version": 1, "run": "r", "step": "s", "function": "m:f", **places, **parts})


@pytest.fixture(autouse=True)
def outside() -> Iterator[None]:
    yield
    record_to(None)


def test_outside_of_a_step_nothing_happens_but_checks() -> None:
    report(0.5)
    progress(1, 2)
    assert checkpoint_dir() is None
    with pytest.raises(TypeError, match="takes a number"):
        report("0.5")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes an int"):
        report(0.5, step=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes numbers"):
        progress("1", 2)  # type: ignore[arg-type]


def test_steps_count_from_one_and_must_rise(tmp_path: Path) -> None:
    recorder = Recorder(envelope(tmp_path))
    record_to(recorder)
    report(0.5)
    report(0.6, step=10)
    report(0.7)
    assert recorder.reports == [(1, 0.5), (10, 0.6), (11, 0.7)]
    with pytest.raises(ValueError, match="steps must rise"):
        report(0.8, step=11)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_report_must_be_finite(tmp_path: Path, value: float) -> None:
    record_to(Recorder(envelope(tmp_path)))
    with pytest.raises(ValueError, match="must be finite"):
        report(value)


@pytest.mark.parametrize(
    ("direction", "values", "medians", "warmup", "pruned_at"),
    [
        ("maximize", [0.5], {"1": 0.6}, 0, 1),
        ("maximize", [0.6], {"1": 0.6}, 0, None),
        ("maximize", [0.7, 0.1], {"1": 0.6, "2": 0.65}, 0, None),  # the best so far counts, not the last
        ("maximize", [0.1, 0.2], {"1": 0.6, "2": 0.6}, 1, 2),
        ("minimize", [0.5], {"1": 0.4}, 0, 1),
        ("minimize", [0.5], {"2": 0.4}, 0, None),
        ("minimize", [float("nan")], {}, 0, 1),
    ],
)
def test_pruning(
    tmp_path: Path, direction: str, values: list[float], medians: dict[str, float], warmup: int, pruned_at: int | None
) -> None:
    rule = {"direction": direction, "medians": medians, "warmup_reports": warmup}
    record_to(Recorder(envelope(tmp_path, pruning=rule)))
    ended: int | None = None
    for number, value in enumerate(values, start=1):
        try:
            report(value)
        except TrialPruned:
            ended = number
            break
    assert ended == pruned_at


def test_progress_is_written_at_most_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    record_to(Recorder(envelope(tmp_path)))
    for done in range(1, 1001):
        progress(done, 1000)
        if done == 2:
            assert json.loads((tmp_path / "progress").read_text())["done"] == 1
    assert json.loads((tmp_path / "progress").read_text()) == {"done": 1000, "total": 1000, "text": ""}
    assert [path.name for path in tmp_path.iterdir()] == ["progress"]
