"""Which trial is the best, and what the step puts out of it."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml.jobs.context import Context
from cloudml.jobs.control.best import Trial, adopted, choose
from cloudml.jobs.failure import Refused


def trial(number: int, value: float | None, state: str = "succeeded") -> Trial:
    return Trial(number, f"job-{number}", state, value, {"depth": number}, "no memory")


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 2)])
def test_of_equals_the_first_is_the_best(direction: str, best: int) -> None:
    found = [trial(0, 0.5), trial(1, 0.1), trial(2, 0.9), trial(3, 0.9), trial(4, 0.1), trial(5, None, "pruned")]
    assert choose(found, {"direction": direction}).number == best


def test_one_failure_is_survived_where_the_step_says_so() -> None:
    found = [trial(0, None, "failed"), trial(1, 0.5)]
    assert choose(found, {"direction": "minimize", "max_failed": 1}).number == 1
    with pytest.raises(Refused, match="trial 0 failed: no memory"):
        choose(found, {"direction": "minimize"})


def test_without_a_value_there_is_no_best() -> None:
    with pytest.raises(Refused, match="no trial ended with a value"):
        choose([trial(0, None, "pruned")], {"direction": "minimize"})


def test_the_exact_value_is_the_trial_s_own(context: Context) -> None:
    found = [trial(0, 0.33), trial(1, 0.5)]
    made: dict[str, Any] = adopted(found[0], found, {}, {"output": {"loss": 1 / 3}}, {"objective": "loss"}, context)
    assert (made["best_value"], made["best_parameters"]) == (1 / 3, {"depth": 0})
    assert [(row["number"], row["value"], row["depth"]) for row in made["trials"]] == [(0, 1 / 3, 0), (1, 0.5, 1)]
