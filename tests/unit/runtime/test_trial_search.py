"""The search: Optuna itself is the reference for what is proposed, arithmetic for all else."""

from __future__ import annotations

import random
from typing import Any

import optuna
import pytest

from cloudml.runtime import search
from cloudml.runtime.search import Result, Search, Trial

SPACE = [
    {"name": "x", "type": "float", "low": -10.0, "high": 10.0, "step": None, "log": False, "choices": []},
    {"name": "depth", "type": "int", "low": 1.0, "high": 9.0, "step": 2.0, "log": False, "choices": []},
    {"name": "kind", "type": "choice", "low": None, "high": None, "step": None, "log": False, "choices": ["a", "b"]},
]


def settings(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "objective": "loss", "direction": "minimize", "trials": 16, "parallel": 1, "space": SPACE,
        "strategy": "bayesian", "seed": 5, "pruning": None, "max_failed": 0,
    }  # fmt: skip
    return {**usual, **changes}


def loss(params: dict[str, Any]) -> float:
    return float((params["x"] - 2) ** 2 + params["depth"] + (params["kind"] == "a"))


def drive(made: Search, chooser: random.Random | None = None) -> list[dict[str, Any]]:
    """Run it to the end; trials that are open at once end in the order that `chooser` likes."""
    waiting: list[Trial] = []
    points = []
    while not made.ended:
        trial = made.ask()
        if trial is not None:
            points.append(trial.params)
            waiting.append(trial)
        elif made.tell() is None:
            done = waiting.pop(chooser.randrange(len(waiting)) if chooser else 0)
            made.results[done.number] = Result("succeeded", done.params, loss(done.params))
    return points


@pytest.mark.parametrize("strategy", ["bayesian", "random"])
def test_one_after_another_it_proposes_what_optuna_proposes(strategy: str) -> None:
    def tried(trial: optuna.Trial) -> float:
        x, depth = trial.suggest_float("x", -10, 10), trial.suggest_int("depth", 1, 9, step=2)
        return loss({"x": x, "depth": depth, "kind": trial.suggest_categorical("kind", ["a", "b"])})

    samplers = {"bayesian": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    reference = optuna.create_study(direction="minimize", sampler=samplers[strategy](seed=5))
    reference.optimize(tried, n_trials=16)
    made = Search(settings(strategy=strategy))
    assert drive(made) == [trial.params for trial in reference.trials]
    assert made.best() == reference.best_trial.number
    assert made.found()["best_value"] == reference.best_value


def test_who_was_quicker_changes_nothing() -> None:
    in_order = drive(Search(settings(parallel=4)))
    for seed in range(5):
        assert drive(Search(settings(parallel=4)), random.Random(seed)) == in_order
    assert in_order != drive(Search(settings(parallel=1))), "the fifth trial knows one result less each"


def test_never_more_are_open_than_may_run_at_once() -> None:
    made = Search(settings(parallel=3))
    assert [made.ask() is not None for _ in range(4)] == [True, True, True, False]
    made.results[1] = Result("succeeded", {}, 1.0)
    assert made.tell() is None, "trial 0 is told first"
    assert made.ask() is None


def test_the_earliest_of_equals_is_the_best_and_failures_are_none() -> None:
    made = Search(settings(strategy="random", trials=4, parallel=4, direction="maximize", max_failed=1))
    for _ in range(4):
        made.ask()
    made.results |= {0: Result("failed", {}), 1: Result("succeeded", {"x": 1}, 0.0)}
    made.results |= {2: Result("pruned", {}, None, [[1, 9.0]]), 3: Result("succeeded", {"x": 3}, 0.0)}
    while made.tell() is not None:
        pass
    assert made.best() == 1
    assert [row["state"] for row in made.found()["trials"]] == ["failed", "succeeded", "pruned", "succeeded"]
    assert not made.hopeless()
    made.results[3] = Result("failed", {})
    assert made.hopeless()


def test_without_a_value_nothing_is_found() -> None:
    made = Search(settings(strategy="random", trials=1, max_failed=1))
    made.ask()
    made.results[0] = Result("failed", {})
    made.tell()
    assert made.best() is None
    with pytest.raises(ValueError, match="no trial ended with a value"):
        made.found()


def test_a_trial_is_compared_with_the_medians_known_when_it_was_asked() -> None:
    made = Search(settings(strategy="random", pruning={"startup_trials": 2, "warmup_reports": 1}))
    reports = [[(1, 1.0), (2, 10.0)], [(1, 3.0), (2, 30.0)], [(1, 100.0)]]
    seen = []
    for number, told in enumerate(reports):
        trial = made.ask()
        assert trial is not None
        seen.append(trial.pruning)
        made.results[number] = Result("succeeded" if number < 2 else "pruned", trial.params, 1.0, told)
        made.tell()
    fourth = made.ask()
    assert seen[:2] == [None, None]
    assert seen[2] == {"direction": "minimize", "medians": {"1": 2.0, "2": 20.0}, "warmup_reports": 1}
    assert fourth is not None
    assert fourth.pruning == seen[2], "a pruned trial has no say"


def test_a_grid_is_its_every_point_once() -> None:
    space = [
        {**SPACE[0], "low": 0.0, "high": 0.3, "step": 0.1},
        {**SPACE[1], "low": 1.0, "high": 8.0, "step": 2.0},
        SPACE[2],
    ]
    points = search.grid(settings(strategy="grid", space=space, trials=99))
    assert len(points) == 4 * 4 * 2, "0 to 0.3 by tenths; 1, 3, 5, 7; a, b"
    assert len({tuple(point.items()) for point in points}) == 32
    assert max(point["x"] for point in points) == 0.3, "and not 3 × 0.1, which is more"
    assert {type(point["depth"]) for point in points} == {int}
    space[1]["high"] = 7.0
    made = Search(settings(strategy="grid", space=space, trials=5))
    assert made.total == 5
    assert drive(made) == points[:5]


def test_random_points_need_no_results() -> None:
    assert search.drawn(settings(strategy="random")) == drive(Search(settings(strategy="random", parallel=16)))


def test_the_objective_is_found_in_any_output() -> None:
    assert search.objective({"weights": {"w": 1}, "scores": {"loss": 2}}, "loss") == 2.0
    assert search.objective({"loss": 3}, "loss") == 3.0
    with pytest.raises(KeyError):
        search.objective({"scores": {"auc": 1}}, "loss")
