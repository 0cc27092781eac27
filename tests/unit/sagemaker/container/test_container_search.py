"""A search in one training job: which trials run, what is kept of them, and what a job that is started again skips."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from container_lab import Document, Lab, port

from cloudml.jobs import search

FUNCTIONS = {
    "tried.py": """
        import os, signal, time
        from pathlib import Path
        from typing import NamedTuple

        from cloudml.runtime.metrics import Metrics
        from cloudml.runtime.reporting import checkpoint_dir

        class Loss(Metrics):
            loss: float

        class Fit(NamedTuple):
            scores: Loss
            weights: dict

        def fit(x: int, notes: str, slow: int = -1, odd: int = -1) -> Fit:
            with open(notes, "a") as file:
                file.write(f"{os.environ['CLOUDML_TRIAL']}:{x}:{checkpoint_dir()}\\n")
            if x == odd:
                raise ValueError(f"{x} is odd")
            if x == slow:
                time.sleep(60)
            return Fit(Loss(loss=(x - 3) ** 2), {"x": x})
    """
}
SPACE = {"name": "x", "type": "int", "low": 1, "high": 4, "step": None, "log": False, "choices": []}
PORTS = [port("scores", "tried.Loss", "metrics", ["loss"]), port("weights", "dict")]
FOUND = [port("best_parameters", "dict"), port("best_value", "float"), port("trials", "list")]
SETTINGS = {
    "objective": "loss", "direction": "minimize", "trials": 4, "parallel": 1, "space": [SPACE], "strategy": "grid",
    "seed": 0, "pruning": None, "max_failed": 0, "outputs": ["scores", "weights"],
    "resources": {"cpu": 1.0, "memory": None, "gpu": 0},
}  # fmt: skip


@pytest.fixture
def job(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ml", FUNCTIONS, training=True)


def step(tmp_path: Path, given: Document | None = None, **changes: Any) -> Document:
    arguments = {"notes": {"literal": str(tmp_path / "notes")}, **(given or {})}
    return {
        "kind": "search", "function": "tried:fit", "outputs": [*PORTS, *FOUND], "arguments": arguments,
        "search": {**SETTINGS, **changes}, "checkpoint": True,
    }  # fmt: skip


def tried(tmp_path: Path) -> list[int]:
    """The points that were run, in order."""
    return [int(line.split(":")[1]) for line in (tmp_path / "notes").read_text().splitlines()]


@dataclass(frozen=True)
class Searched:
    """A search that came to its end, by a real process; `order`: its points as they were run."""

    job: Lab
    done: subprocess.CompletedProcess[str]
    order: list[int]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    home = tmp_path_factory.mktemp("searched")
    job = Lab(home / "ml", FUNCTIONS, training=True)
    done = job.run(step(home))
    assert done.returncode == 0, done.stderr
    return Searched(job, done, tried(home))


def restarted(job: Lab, lab: Callable[..., Lab]) -> Lab:
    """Another machine, on which SageMaker has laid the checkpoints."""
    other = lab("again", training=True)
    other.project = job.project
    shutil.copytree(job.base / "checkpoints", other.base / "checkpoints")
    return other


def test_the_best_trial_is_put_out_and_a_second_machine_tries_nothing_again(
    searched: Searched, lab: Callable[..., Lab], tmp_path: Path
) -> None:
    job, done = searched.job, searched.done
    result = job.result()
    assert result["values"]["best_parameters"] == {"x": 3}
    assert result["values"]["best_value"] == 0
    assert result["values"]["weights"] == {"x": 3}
    assert result["metrics"] == {"scores": {"loss": 0.0}}
    assert {row["x"]: row["value"] for row in result["values"]["trials"]} == {1: 4.0, 2: 1.0, 3: 0.0, 4: 1.0}
    assert {one["name"] for one in result["outputs"]} == {one["name"] for one in (*PORTS, *FOUND)}
    assert done.stdout.splitlines()[-1] == "cloudml:metric scores.loss=0.0"
    assert "cloudml:metric objective=0.0" in done.stdout
    assert sorted(searched.order) == [1, 2, 3, 4]
    kept = sorted(job.base.glob("checkpoints/cloudml-search/*/weights"))
    assert len(kept) == 1, "the outputs of the best trial only"

    again = restarted(job, lab)
    assert again.call(step(tmp_path), env={}).returncode == 0
    assert again.result() == result
    assert not (tmp_path / "notes").exists(), "nothing was tried again"


def test_a_trial_whose_files_came_only_in_part_is_run_again(
    searched: Searched, lab: Callable[..., Lab], tmp_path: Path
) -> None:
    again = restarted(searched.job, lab)
    next(again.base.glob("checkpoints/cloudml-search/*/weights/weights.json")).write_text('{"x":')
    assert again.call(step(tmp_path), env={}).returncode == 0
    assert tried(tmp_path) == [3]
    assert again.result()["values"]["weights"] == {"x": 3}


def test_another_search_does_not_go_on_from_these_trials(
    searched: Searched, lab: Callable[..., Lab], tmp_path: Path
) -> None:
    again, first = restarted(searched.job, lab), searched.order
    assert again.call(step(tmp_path, seed=1), env={}).returncode == 0
    second = [row["x"] for row in again.result()["values"]["trials"]]
    assert second != first
    assert tried(tmp_path) == [new for new, old in zip(second, first, strict=True) if new != old]


def test_more_failures_than_allowed_end_it_with_the_reason(job: Lab, tmp_path: Path) -> None:
    done = job.call(step(tmp_path, {"odd": {"literal": 2}}), env={})
    assert done.returncode == 1
    number = tried(tmp_path).index(2)
    assert job.message().splitlines()[0] == f"trial {number} failed: ValueError: 2 is odd (tried.py:20)"
    assert tried(tmp_path)[-1] == 2, "nothing is tried after it"


def test_failures_that_are_allowed_are_told(job: Lab, tmp_path: Path) -> None:
    assert job.call(step(tmp_path, {"odd": {"literal": 3}}, max_failed=1), env={}).returncode == 0
    states = {row["x"]: row["state"] for row in job.result()["values"]["trials"]}
    assert states == {1: "succeeded", 2: "succeeded", 3: "failed", 4: "succeeded"}
    assert job.result()["values"]["best_value"] == 1


def test_a_machine_that_is_taken_away_loses_the_running_trial_only(
    job: Lab, lab: Callable[..., Lab], tmp_path: Path
) -> None:
    slow = step(tmp_path, {"slow": {"literal": 4}})
    running = subprocess.Popen(job.command(slow), env=job.environment({}), stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not (tmp_path / "notes").exists() or 4 not in tried(tmp_path):
        assert time.monotonic() < limit
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode == 1
    before = tried(tmp_path)
    assert f"{len(before) - 1} of 4 trials were told" in job.message()
    again = restarted(job, lab)
    assert again.call(step(tmp_path), env={}).returncode == 0
    assert tried(tmp_path)[len(before)] == 4
    assert len(tried(tmp_path)) == 5, "each once, and the one that was broken off once more"


def test_each_trial_has_a_checkpoint_of_its_own(job: Lab, tmp_path: Path) -> None:
    assert job.call({**step(tmp_path, trials=2), "trial_checkpoints": True}, env={}).returncode == 0
    folders = {line.partition(":")[2].partition(":")[2] for line in (tmp_path / "notes").read_text().splitlines()}
    assert folders == {str(job.base / "checkpoints" / f"trial-{number}") for number in (0, 1)}


def test_without_optuna_it_says_what_to_do(job: Lab, tmp_path: Path) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "optuna.py").write_text("raise ImportError('No module named optuna')")
    done = job.run(step(tmp_path), env={"PYTHONPATH": str(tmp_path / "fake")})
    assert done.returncode == 1
    assert "write optuna into requirements.txt" in job.message()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"cpu": 1.0, "memory": None, "gpu": 0}, 4),
        ({"cpu": 2.0, "memory": None, "gpu": 0}, 4),
        ({"cpu": 3.0, "memory": None, "gpu": 0}, 2),
        ({"cpu": 16.0, "memory": None, "gpu": 0}, 1),
        ({"cpu": 1.0, "memory": 3072, "gpu": 0}, 2),
        ({"cpu": 1.0, "memory": None, "gpu": 1}, 1),
    ],
)
def test_trials_share_the_machine(monkeypatch: pytest.MonkeyPatch, asked: Document, expected: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(search, "_memory", lambda: 8192.0)
    assert search.workers({"parallel": 4, "resources": asked}) == expected
