"""Trials: hyperparameters are texts (developer guide, "hyperparameters.json"); the function gets values."""

from __future__ import annotations

import pytest
from container_lab import Lab, port

from cloudml.jobs import trial
from cloudml.jobs.failure import Refused

NATIVE = {
    "objective": "auc",
    "points": None,
    "parameters": {
        "rate": {"argument": "rate", "as": "float"},
        "depth": {"argument": "depth", "as": "step", "low": 2, "step": 3, "type": "int"},
        "kind": {"argument": "kind", "as": "json"},
    },
}
POINTS = {"objective": "auc", "width": 2, "points": [
    {"rate": 0.5, "depth": 1, "kind": "a"}, {"rate": 0.5, "depth": 2, "kind": "b"},
    {"rate": 0.25, "depth": 3, "kind": "c"},
]}  # fmt: skip
STEP = {"function": "steps:trial", "outputs": [port("metrics", "steps.Scores", "metrics", ["auc", "rows"])]}


def test_a_native_trial_prints_its_objective(training: Lab) -> None:
    training.tell({"rate": "0.25", "depth": "1", "kind": '"gbm"', "_tuning_objective_metric": "objective"})
    done = training.run({**STEP, "tuning": NATIVE})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "cloudml:metric objective=1.25"
    assert training.result()["parameters"] == {"rate": 0.25, "depth": 5, "kind": "gbm"}


def test_a_point_is_found_by_its_number_and_settings_may_be_hyperparameters(training: Lab) -> None:
    training.tell({"cloudml_trial": "0", "cloudml_trial_high": "1", "cloudml_set_parameters.x": "9"})
    done = training.run({**STEP, "tuning": POINTS})
    assert done.returncode == 0, done.stderr
    assert training.result()["trial"] == 2
    assert training.result()["values"]["metrics"] == {"auc": 0.75, "rows": 1}


@pytest.mark.parametrize(("high", "low", "expected"), [("0", "1", 1), ("1", "1", 0), ('"1"', '"0"', 2)])
def test_numbers_beyond_the_points_repeat_them(high: str, low: str, expected: int) -> None:
    found = trial.parameters(POINTS, {"cloudml_trial": low, "cloudml_trial_high": high})
    assert found == POINTS["points"][expected]


@pytest.mark.parametrize(("text", "value"), [('"gbm"', "gbm"), ("true", True), ("3", 3), ('"3"', "3")])
def test_choices_are_json(text: str, value: object) -> None:
    tuning = {"points": None, "parameters": {"kind": {"argument": "kind", "as": "json"}}}
    assert trial.parameters(tuning, {"kind": text}) == {"kind": value}


def test_a_missing_hyperparameter_is_named() -> None:
    with pytest.raises(Refused, match="no value for depth, kind"):
        trial.parameters(NATIVE, {"rate": "1"})
