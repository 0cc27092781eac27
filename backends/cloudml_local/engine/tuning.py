"""Hyper-parameter tuning: `cloudml.runtime.search` says what is tried next; here it is tried, and remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudml.errors import MissingExtra
from cloudml.runtime.search import Result, Search, Trial, objective
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
        self._driver = driver
        self._instance = instance
        self._bound = bound
        self._settings = instance.reads["tuning"]
        try:
            self._search = Search(self._settings)
        except ImportError:
            raise MissingExtra("local", "optuna") from None
        self._broken = False
        tried = driver.journal.trials(driver.run.id, instance.id)
        self._earlier = {row["number"]: row for row in tried if row["state"] != "failed"}
        driver.begin(instance)

    def advance(self) -> None:
        """Ask what may be asked, then tell the next result: what a proposal knows never depends on who was quick."""
        while not self._broken:
            if not self._search.ended and self._stopped():
                return
            trial = self._search.ask()
            if trial is not None:
                self._begin(trial)
            elif self._search.tell() is not None:
                self._progress()
            elif self._search.ended:
                self._finish()
                return
            else:
                return

    def _begin(self, trial: Trial) -> None:
        earlier = self._earlier.get(trial.number)
        if earlier is not None and earlier["params"] == trial.params and self._whole(earlier):
            made = {"outputs": earlier["outputs"], "vals": earlier["vals"]}
            known = (earlier["state"], earlier["params"], earlier["value"], earlier["reports"])
            self._search.results[trial.number] = Result(*known, made)
            return
        self._submit(trial, 1)

    def _whole(self, trial: dict[str, Any]) -> bool:
        return all(self._driver.store.has(output["digest"]) for output in trial["outputs"].values())

    def _submit(self, trial: Trial, attempt: int) -> None:
        reads, number = self._instance.reads, trial.number
        place = folder_of(self._driver, self._instance)
        work = replace(
            self._bound.work, arguments={**self._bound.work.arguments, **trial.params},
            pruning=trial.pruning,
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
                done=lambda outcome: self._ended(trial, attempt, outcome),
                cpu=float(reads.get("cpu") or 1),
                timeout=reads.get("timeout"),
                modules=preload(reads),
                environment={**reads.get("environment", {}), "CLOUDML_TRIAL": str(number)},
            )
        )

    def _ended(self, trial: Trial, attempt: int, outcome: Outcome) -> None:
        if self._broken or self._instance.ended or (outcome.status == "failed" and self._stopped()):
            return
        if outcome.status == "failed":
            failed = outcome.failure or {}
            heal(self._driver, failed)
            wait = retryable(self._instance.reads.get("retry"), attempt, failed)
            if wait is not None:
                self._driver.retry_later(wait, lambda: self._again(trial, attempt + 1))
                return
        value = objective(outcome.values, self._settings["objective"]) if outcome.status == "succeeded" else None
        self._driver.journal.save_trial(
            self._driver.run.id, self._instance.id, trial.number, outcome.status, params=trial.params, value=value,
            reports=outcome.reports, outputs=outcome.outputs, values=outcome.values, reason=outcome.reason,
        )  # fmt: skip
        self._driver.sweeper.sweep(folder_of(self._driver, self._instance) / f"trial-{trial.number}")
        made = {"outputs": outcome.outputs, "vals": outcome.values}
        self._search.results[trial.number] = Result(outcome.status, trial.params, value, outcome.reports, made)
        if outcome.status == "failed":
            self._failed(trial.number, outcome)
        self.advance()

    def _again(self, trial: Trial, attempt: int) -> None:
        if not (self._broken or self._instance.ended or self._stopped()):
            self._submit(trial, attempt)

    def _stopped(self) -> bool:
        """End the study when the run stops or has failed; what was tried stays for the next resume."""
        ending = self._driver.ending(self._instance)
        if ending is not None:
            self._broken = True
            self._driver.end(self._instance, "stopped", ending)
        return self._broken

    def _failed(self, number: int, outcome: Outcome) -> None:
        if self._search.hopeless():
            self._broken = True
            reason = f"trial {number} failed: {outcome.reason}"
            self._driver.end(
                self._instance, "failed", reason, failure=outcome.failure, key=self._bound.key, parts=self._bound.parts
            )
            self._driver.pool.cancel(self._instance.id)

    def _progress(self) -> None:
        best = self._search.best()
        detail = "" if best is None else f"best {self._settings['objective']} {self._search.results[best].value:.4f}"
        self._driver.tell(self._instance, "running", detail, progress=(self._search.told, self._search.total))

    def _finish(self) -> None:
        best = self._search.best()
        if best is None:
            self._driver.end(
                self._instance, "failed", "no trial ended with a value", key=self._bound.key, parts=self._bound.parts
            )
            return
        result = self._search.results[best]
        reason = f"trial {best} of {self._search.total}: {self._settings['objective']} {result.value:.4f}"
        self._driver.end(
            self._instance, "succeeded", reason, outputs=result.made["outputs"],
            values={**result.made["vals"], **self._search.found()}, key=self._bound.key, parts=self._bound.parts,
            reusable=self._instance.reads["cache"]["enabled"],
        )  # fmt: skip
