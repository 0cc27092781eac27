"""A search for hyperparameters: Optuna proposes, somebody tries, and the order of asking and telling is fixed.

Trial n is asked when the results of trials 0 .. n - parallel are told, and results are told in trial order. So what is
proposed never depends on which trial was quicker: a search that is resumed replays to the same state, and the same
search gives the same model on every backend. Nothing here starts a process or keeps a file: that is the caller's.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED, PRUNED, FAILED = "succeeded", "pruned", "failed"


@dataclass(frozen=True)
class Trial:
    """What is to be tried. `pruning`: the medians that its reports are compared with (of the runtime's envelope)."""

    number: int
    params: dict[str, Any]
    pruning: dict[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """What came of a trial: `state` is succeeded, pruned or failed; `value` is the objective of one that succeeded.

    `reports` are pairs of a step and a value. `made` is whatever the caller wants to find again.
    """

    state: str
    params: dict[str, Any]
    value: float | None = None
    reports: Sequence[Any] = ()
    made: Mapping[str, Any] = field(default_factory=dict)


class Search:
    """One search. `settings` has objective, direction, trials, parallel, space, strategy, seed, pruning, max_failed.

    They are those of `spec.TuningStep` as JSON. Raises ImportError where Optuna is not installed.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._optuna = _optuna()
        self._settings = settings
        self._distributions = {one["name"]: _distribution(self._optuna, one) for one in settings["space"]}
        self._study = self._optuna.create_study(direction=settings["direction"], sampler=self._sampler())
        self._asked: list[Any] = []
        self.results: dict[int, Result] = {}
        self.told = 0
        self.total: int = settings["trials"]
        if settings["strategy"] == "grid":
            points = grid(settings)
            for point in points:  # Optuna's own sampler of grids cannot be asked and told
                self._study.enqueue_trial(point)
            self.total = len(points)

    def _sampler(self) -> Any:
        samplers, seed = self._optuna.samplers, self._settings["seed"]
        return (
            samplers.TPESampler(seed=seed)
            if self._settings["strategy"] == "bayesian"
            else samplers.RandomSampler(seed=seed)
        )

    @property
    def ended(self) -> bool:
        """Whether every trial is told."""
        return self.told == self.total

    def ask(self) -> Trial | None:
        """The next trial, when one may be asked now. Its result belongs into `results`, under its number."""
        number = len(self._asked)
        if number >= self.total or number - self.told >= self._settings["parallel"]:
            return None
        trial = self._study.ask(self._distributions)
        self._asked.append(trial)
        return Trial(number, dict(trial.params), self._pruning())

    def tell(self) -> int | None:
        """Tell the sampler the next result in order; the trial's number, or None when that result is not there yet."""
        number = self.told
        if number not in self.results:
            return None
        result, trial = self.results[number], self._asked[number]
        states = self._optuna.trial.TrialState
        for step, value in result.reports:
            if step >= 0:  # Optuna knows no other
                trial.report(value, step)
        if result.state == SUCCEEDED:
            self._study.tell(trial, result.value)
        else:
            self._study.tell(trial, state=states.PRUNED if result.state == PRUNED else states.FAIL)
        self.told += 1
        return number

    def _pruning(self) -> dict[str, Any] | None:
        """The medians of the trials that are told now."""
        policy = self._settings["pruning"]
        if policy is None:
            return None
        finished = [self.results[n] for n in range(self.told) if self.results[n].state == SUCCEEDED]
        if len(finished) < policy["startup_trials"]:
            return None
        by_step: dict[str, list[float]] = {}
        for result in finished:
            for step, value in result.reports:
                by_step.setdefault(str(step), []).append(value)
        medians = {step: statistics.median(values) for step, values in by_step.items()}
        return {
            "direction": self._settings["direction"],
            "medians": medians,
            "warmup_reports": policy["warmup_reports"],
        }

    def hopeless(self) -> bool:
        """Whether more trials failed than the search survives, told or not."""
        failed = sum(result.state == FAILED for result in self.results.values())
        return failed > int(self._settings["max_failed"])

    def best(self) -> int | None:
        """The best told trial; the earliest of equals. None when none has a value yet."""
        sign = 1 if self._settings["direction"] == "minimize" else -1
        told = [(sign * (self.results[n].value or 0.0), n) for n in range(self.told) if self._counts(n)]
        return min(told, default=(0.0, None))[1]

    def _counts(self, number: int) -> bool:
        return self.results[number].state == SUCCEEDED

    def found(self) -> dict[str, Any]:
        """What a tuning step puts out beside its job's outputs. ValueError when no trial ended with a value."""
        best = self.best()
        if best is None:
            raise ValueError("no trial ended with a value")
        table = [
            {"number": n, "state": one.state, "value": one.value, **one.params}
            for n, one in sorted(self.results.items())
        ]
        return {"best_parameters": self.results[best].params, "best_value": self.results[best].value, "trials": table}


def objective(values: Mapping[str, Any], name: str) -> float:
    """The metric of that name, in whichever metrics output of a trial has it. KeyError: none has."""
    for value in values.values():
        if isinstance(value, dict) and name in value:
            return float(value[name])
    return float(values[name])


def grid(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of a grid, at most `trials` of them, shuffled so that too few trials are spread over it."""
    names = [dimension["name"] for dimension in settings["space"]]
    points = list(itertools.product(*map(_axis, settings["space"])))
    random.Random(settings["seed"]).shuffle(points)  # noqa: S311 - reproducible, not secret
    return [dict(zip(names, point, strict=True)) for point in points[: settings["trials"]]]


def drawn(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of a random search, which need no results. ImportError where Optuna is not installed."""
    optuna = _optuna()
    space = {one["name"]: _distribution(optuna, one) for one in settings["space"]}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=settings["seed"]))
    return [dict(study.ask(space).params) for _ in range(settings["trials"])]


def _optuna() -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, dimension: Mapping[str, Any]) -> Any:
    kinds = optuna.distributions
    if dimension["type"] == "choice":
        return kinds.CategoricalDistribution(dimension["choices"])
    if dimension["type"] == "int":
        return kinds.IntDistribution(
            int(dimension["low"]), int(dimension["high"]), log=dimension["log"], step=int(dimension["step"] or 1)
        )
    return kinds.FloatDistribution(dimension["low"], dimension["high"], log=dimension["log"], step=dimension["step"])


def _axis(dimension: Mapping[str, Any]) -> list[Any]:
    if dimension["type"] == "choice":
        return list(dimension["choices"])
    low, step = dimension["low"], dimension["step"] or 1
    count = int((dimension["high"] - low) / step + 1e-9) + 1
    points = [min(low + index * step, dimension["high"]) for index in range(count)]  # 3 × 0.1 is more than 0.3
    return [int(point) for point in points] if dimension["type"] == "int" else points
