"""Hyper-parameter tuning: Optuna proposes, workers try, and the order of asking and telling is fixed.

Trial n is asked when the results of trials 0 .. n - parallel are told, and results are told in trial order. So what is
proposed never depends on which trial was quicker: a study that is resumed replays to the same state, and two runs of
the same pipeline give the same model.
"""

from __future__ import annotations

import itertools
import random
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudml.errors import MissingExtra
from cloudml_local.engine.attempts import Outcome, retryable
from cloudml_local.engine.graph import Instance
from cloudml_local.engine.jobs import Bound, bind, folder_of, heal, preload, reuse
from cloudml_local.engine.pool import Request

if TYPE_CHECKING:
    from cloudml_local.engine.driver import Driver


def tune(driver: Driver, instance: Instance) -> None:
    """Reuse the whole study, or run it from where it stands."""
    bound = bind(driver, instance)
    if not reuse(driver, instance, bound):
        Study(driver, instance, bound).advance()


class Study:
    """One tuning step of one run."""

    def __init__(self, driver: Driver, instance: Instance, bound: Bound) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingExtra("local", "optuna") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._driver = driver
        self._instance = instance
        self._bound = bound
        self._settings = instance.reads["tuning"]
        self._distributions = {one["name"]: _distribution(optuna, one) for one in self._settings["space"]}
        self._total = self._settings["trials"]
        self._study = optuna.create_study(direction=self._settings["direction"], sampler=self._sampler())
        if self._settings["strategy"] == "grid":
            self._total = self._enqueue_grid()
        self._asked: list[Any] = []
        self._results: dict[int, dict[str, Any]] = {}
        self._told = 0
        self._broken = False
        tried = driver.journal.trials(driver.run.id, instance.id)
        self._earlier = {row["number"]: row for row in tried if row["state"] != "failed"}
        driver.begin(instance)

    def _sampler(self) -> Any:
        samplers = self._optuna.samplers
        seed = self._settings["seed"]
        if self._settings["strategy"] == "bayesian":
            return samplers.TPESampler(seed=seed)
        return samplers.RandomSampler(seed=seed)

    def _enqueue_grid(self) -> int:
        """Queue the points of the grid, shuffled so that too few trials are spread over it; how many there are.

        Optuna's own sampler of grids cannot be asked and told.
        """
        names = [dimension["name"] for dimension in self._settings["space"]]
        points = list(itertools.product(*map(_points, self._settings["space"])))
        random.Random(self._settings["seed"]).shuffle(points)  # noqa: S311 - reproducible, not secret
        chosen = points[: self._settings["trials"]]
        for point in chosen:
            self._study.enqueue_trial(dict(zip(names, point, strict=True)))
        return len(chosen)

    def advance(self) -> None:
        """Ask what may be asked, then tell the next result: what a proposal knows never depends on who was quick."""
        while not self._broken:
            if self._told < self._total and self._stopped():
                return
            if len(self._asked) < self._total and len(self._asked) - self._told < self._settings["parallel"]:
                self._ask()
            elif self._told in self._results:
                self._tell(self._told)
            elif self._told == self._total:
                self._finish()
                return
            else:
                return

    def _ask(self) -> None:
        trial = self._study.ask(self._distributions)
        number = len(self._asked)
        self._asked.append(trial)
        earlier = self._earlier.get(number)
        if earlier is not None and earlier["params"] == trial.params and self._whole(earlier):
            self._results[number] = earlier
            return
        self._submit(number, dict(trial.params), 1, self._pruning())

    def _whole(self, trial: dict[str, Any]) -> bool:
        return all(self._driver.store.has(output["digest"]) for output in trial["outputs"].values())

    def _submit(self, number: int, params: dict[str, Any], attempt: int, pruning: dict[str, Any] | None) -> None:
        reads = self._instance.reads
        place = folder_of(self._driver, self._instance)
        work = replace(
            self._bound.work, arguments={**self._bound.work.arguments, **params}, pruning=pruning,
            checkpoint=str(place / f"checkpoint-{number}") if reads.get("checkpoint") else None,
        )  # fmt: skip
        self._driver.pool.submit(
            Request(
                owner=self._instance.id,
                work=work,
                folder=place / f"trial-{number}",
                log=place / f"trial-{number}.log",
                attempt=attempt,
                order=self._instance.order,
                done=lambda outcome: self._ended(number, params, attempt, outcome, pruning),
                cpu=float(reads.get("cpu") or 1),
                timeout=reads.get("timeout"),
                modules=preload(reads),
                environment={**reads.get("environment", {}), "CLOUDML_TRIAL": str(number)},
            )
        )

    def _pruning(self) -> dict[str, Any] | None:
        """The medians that a trial compares its reports with: those of the trials told when it was asked."""
        policy = self._settings["pruning"]
        if policy is None:
            return None
        finished = [self._results[n] for n in range(self._told) if self._results[n]["state"] == "succeeded"]
        if len(finished) < policy["startup_trials"]:
            return None
        by_step: dict[str, list[float]] = {}
        for result in finished:
            for step, value in result["reports"]:
                by_step.setdefault(str(step), []).append(value)
        medians = {step: statistics.median(values) for step, values in by_step.items()}
        return {
            "direction": self._settings["direction"],
            "medians": medians,
            "warmup_reports": policy["warmup_reports"],
        }

    def _ended(
        self, number: int, params: dict[str, Any], attempt: int, outcome: Outcome, pruning: dict[str, Any] | None
    ) -> None:
        if self._broken or self._instance.ended or (outcome.status == "failed" and self._stopped()):
            return
        if outcome.status == "failed":
            failed = outcome.failure or {}
            heal(self._driver, failed)
            wait = retryable(self._instance.reads.get("retry"), attempt, failed)
            if wait is not None:
                self._driver.retry_later(wait, lambda: self._again(number, params, attempt + 1, pruning))
                return
        result = self._record(params, outcome)
        self._driver.journal.save_trial(
            self._driver.run.id, self._instance.id, number, result["state"], params=params, value=result["value"],
            reports=result["reports"], outputs=result["outputs"], values=result["vals"], reason=result["reason"],
        )  # fmt: skip
        self._driver.sweeper.sweep(folder_of(self._driver, self._instance) / f"trial-{number}")
        self._results[number] = result
        if outcome.status == "failed":
            self._failed(number, outcome)
        self.advance()

    def _again(self, number: int, params: dict[str, Any], attempt: int, pruning: dict[str, Any] | None) -> None:
        if not (self._broken or self._instance.ended or self._stopped()):
            self._submit(number, params, attempt, pruning)

    def _stopped(self) -> bool:
        """End the study when the run stops or has failed; what was tried stays for the next resume."""
        ending = self._driver.ending(self._instance)
        if ending is not None:
            self._broken = True
            self._driver.end(self._instance, "stopped", ending)
        return self._broken

    def _record(self, params: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        value = None
        if outcome.status == "succeeded":
            value = _objective(outcome.values, self._settings["objective"])
        return {
            "state": outcome.status,
            "params": params,
            "value": value,
            "reports": outcome.reports,
            "outputs": outcome.outputs,
            "vals": outcome.values,
            "reason": outcome.reason,
        }

    def _failed(self, number: int, outcome: Outcome) -> None:
        failures = [n for n, result in self._results.items() if result["state"] == "failed"]
        if len(failures) > self._settings["max_failed"]:
            self._broken = True
            reason = f"trial {number} failed: {outcome.reason}"
            self._driver.end(
                self._instance, "failed", reason, failure=outcome.failure, key=self._bound.key, parts=self._bound.parts
            )
            self._driver.pool.cancel(self._instance.id)

    def _tell(self, number: int) -> None:
        result, trial = self._results[number], self._asked[number]
        states = self._optuna.trial.TrialState
        for step, value in result["reports"]:
            if step >= 0:  # Optuna knows no other
                trial.report(value, step)
        if result["state"] == "succeeded":
            self._study.tell(trial, result["value"])
        else:
            self._study.tell(trial, state=states.PRUNED if result["state"] == "pruned" else states.FAIL)
        self._told += 1
        best = self._best()
        detail = "" if best is None else f"best {self._settings['objective']} {self._results[best]['value']:.4f}"
        self._driver.tell(self._instance, "running", detail, progress=(self._told, self._total))

    def _best(self) -> int | None:
        """The best told trial; the earliest of equals."""
        sign = 1 if self._settings["direction"] == "minimize" else -1
        told = [n for n in range(self._told) if self._results[n]["state"] == "succeeded"]
        return min(told, key=lambda n: (sign * self._results[n]["value"], n), default=None)

    def _finish(self) -> None:
        best = self._best()
        if best is None:
            self._driver.end(
                self._instance, "failed", "no trial ended with a value", key=self._bound.key, parts=self._bound.parts
            )
            return
        result = self._results[best]
        table = [
            {"number": n, "state": one["state"], "value": one["value"], **one["params"]}
            for n, one in sorted(self._results.items())
        ]
        values = {
            **result["vals"],
            "best_parameters": result["params"],
            "best_value": result["value"],
            "trials": table,
        }
        reason = f"trial {best} of {self._total}: {self._settings['objective']} {result['value']:.4f}"
        self._driver.end(
            self._instance, "succeeded", reason, outputs=result["outputs"], values=values, key=self._bound.key,
            parts=self._bound.parts, reusable=self._instance.reads["cache"]["enabled"],
        )  # fmt: skip


def _objective(values: dict[str, Any], name: str) -> float:
    """The metric of that name, in whichever metrics output has it."""
    for value in values.values():
        if isinstance(value, dict) and name in value:
            return float(value[name])
    return float(values[name])


def _distribution(optuna: Any, dimension: dict[str, Any]) -> Any:
    kinds = optuna.distributions
    if dimension["type"] == "choice":
        return kinds.CategoricalDistribution(dimension["choices"])
    if dimension["type"] == "int":
        return kinds.IntDistribution(
            int(dimension["low"]), int(dimension["high"]), log=dimension["log"], step=int(dimension["step"] or 1)
        )
    return kinds.FloatDistribution(dimension["low"], dimension["high"], log=dimension["log"], step=dimension["step"])


def _points(dimension: dict[str, Any]) -> list[Any]:
    if dimension["type"] == "choice":
        return list(dimension["choices"])
    low, step = dimension["low"], dimension["step"] or 1
    count = int((dimension["high"] - low) / step + 1e-9) + 1
    points = [low + index * step for index in range(count)]
    return [int(point) for point in points] if dimension["type"] == "int" else points
