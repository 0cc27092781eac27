"""benchmarks/churn_plain.py must do what the pipeline does, without cloudml's engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "churn_plain.py"


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("churn_plain", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pipeline() -> Any:
    from churn.pipeline import churn

    return churn.build()


def test_it_uses_the_parameters_of_the_pipeline(plain: ModuleType, pipeline: Any) -> None:
    declared = {parameter.name: parameter.default for parameter in pipeline.parameters}
    gate_only = {"min_auc", "max_group_gap"}
    assert declared.keys() == plain.PARAMETERS.keys() | gate_only
    assert plain.PARAMETERS.items() <= declared.items()


def test_it_searches_the_space_of_the_pipeline(plain: ModuleType, pipeline: Any) -> None:
    tuning = next(step for step in pipeline.steps if step.kind == "tuning")
    space = {axis.name: (axis.type, axis.low, axis.high, axis.log) for axis in tuning.space}
    assert list(space) == list(plain.SPACE)  # Optuna draws in this order
    assert space == plain.SPACE
    assert (tuning.trials, tuning.parallel, tuning.seed) == (plain.TRIALS, plain.PARALLEL, plain.SEED)
    assert (tuning.strategy, tuning.direction, tuning.pruning) == ("bayesian", "maximize", None)


def test_a_trial_is_asked_when_those_before_its_window_are_told(
    plain: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two at a time: ask 0, 1, then after each result one more."""
    import optuna

    events: list[str] = []
    ask, tell = optuna.Study.ask, optuna.Study.tell

    def asking(study: Any, *args: Any) -> Any:
        trial = ask(study, *args)
        events.append(f"ask {trial.number}")
        return trial

    def telling(study: Any, trial: Any, value: float) -> None:
        events.append(f"tell {trial.number}")
        tell(study, trial, value)

    monkeypatch.setattr(optuna.Study, "ask", asking)
    monkeypatch.setattr(optuna.Study, "tell", telling)
    plain.tune(lambda number, drawn: float(drawn["l2"]))
    assert events[:6] == ["ask 0", "ask 1", "tell 0", "ask 2", "tell 1", "ask 3"]
    assert events[-3:] == ["ask 11", "tell 10", "tell 11"]


def test_the_first_of_equal_trials_is_the_best(plain: ModuleType) -> None:
    best, results = plain.tune(lambda number, drawn: 0.9 if number in (3, 5) else 0.1)
    assert best == 3
    assert [value for _, value in results] == [0.1, 0.1, 0.1, 0.9, 0.1, 0.9, *[0.1] * 6]
