"""Driving hyperparameter tuning jobs: start trials up to the limits, take in what they report, end them and the job."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import api as jobs
from cloudml_vertex.mock.jobs import life, words
from cloudml_vertex.mock.tuning import measured, stopping
from cloudml_vertex.mock.tuning.points import Point, Points
from cloudml_vertex.mock.tuning.rules import STOPPING

KIND = "HyperparameterTuningJob"
LIVE = frozenset({"REQUESTED", "ACTIVE", "STOPPING"})
_LIMITS: dict[str, Callable[[int], int]] = {
    "half": lambda most: most // 2 + 1,
    "all": lambda most: most,
    "first": lambda most: 1,
}
"""How many trials may fail before the job does, by the switch, when the request leaves it to the service."""


class Tuner:
    """Every tuning job of a world. The points of running jobs are in memory, and made anew after a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._points: dict[str, Points] = {}

    # What happens ---------------------------------------------------------------------------------------------------

    def begin(self, table: Table, name: str) -> None:
        """Start a job that was just created, or go on with one from before. Needs the lock."""
        if table[name]["state"] == "JOB_STATE_PENDING":
            self._change(table, name, "JOB_STATE_RUNNING", start_time=self._world.stamp())
        self._advance(table, name)

    def cancel(self, table: Table, name: str) -> None:
        """CancelHyperparameterTuningJob. Needs the lock."""
        if table[name]["state"] == "JOB_STATE_CANCELLING":
            return
        self._change(table, name, "JOB_STATE_CANCELLING")
        table[name]["_end"] = ["JOB_STATE_CANCELLED", words.error("CANCELLED", words.CANCELLED)]
        self._stop_all(table, name)
        self._advance(table, name)

    def resume(self) -> None:
        """Go on with what a store from before holds."""
        with self._world.lock:
            for table in self._world.store.tables(KIND):
                for name, job in table.items():
                    if job["state"] in life.ENDED:
                        continue
                    for trial in running(job):
                        seen = self._world.table(life.KIND, table.scope).get(trial["custom_job"])
                        self._follow(table, name, trial, seen or {"state": "JOB_STATE_CANCELLED"})
                    self.begin(table, name)

    def trial_changed(self, change: Change) -> None:
        """A custom job changed its state; it may be a trial's."""
        self._about(change, lambda table, name, trial: self._follow(table, name, trial, change.document))

    def metrics_seen(self, change: Change) -> None:
        """A trial's container wrote to its metric file; early stopping may end it."""
        self._about(change, lambda table, name, trial: self._measure(table, name, trial, change.details["lines"]))

    def _about(self, change: Change, act: Any) -> None:
        owner = change.document.get("_trial")
        if owner is None:
            return
        with self._world.lock:
            table = self._world.table(KIND, change.scope)
            job = table.get(owner["job"])
            trial = next((one for one in running(job) if one["id"] == owner["id"]), None) if job else None
            if trial is not None:
                act(table, owner["job"], trial)
                self._advance(table, owner["job"])

    # One trial ------------------------------------------------------------------------------------------------------

    def _measure(self, table: Table, name: str, trial: Document, lines: Sequence[str]) -> None:
        job = table[name]
        spec = job["study_spec"]
        start = seconds(trial.get("start_time") or job["start_time"])
        for line in lines:
            if measured.take_in(trial, spec["metrics"], line, self._world.now() - start):
                self._maybe_stop(job, trial)
        self._keep(table, name)

    def _maybe_stop(self, job: Document, trial: Document) -> None:
        if trial["state"] != "ACTIVE" or not self._early(job, trial):
            return
        trial["state"] = "STOPPING"
        jobs.cancel(self._world, _scope(job["name"]), trial["custom_job"])

    def _early(self, job: Document, trial: Document) -> bool:
        spec = job["study_spec"]
        rule = next((one for one in STOPPING if one in spec), "")
        if not rule:
            return False
        by_time = bool(spec[rule].get("use_elapsed_duration"))
        sign = 1 if measured.goal_is_up(spec["metrics"][0]) else -1

        def curve(one: Document) -> list[tuple[float, float]]:
            return [(at, sign * value) for at, value in measured.series(one, spec["metrics"], elapsed=by_time)]

        mine = curve(trial)
        completed = [found for one in job["trials"] if one["state"] == "SUCCEEDED" and (found := curve(one))]
        if rule == "median_automated_stopping_spec":
            return stopping.median_says_stop(mine, completed)
        if rule == "decay_curve_stopping_spec":
            return stopping.decay_says_stop(mine, completed)
        end = stopping.convex_says_stop(mine, completed, spec[rule])
        if end is not None:
            last = trial["measurements"][-1]
            metric = {"metric_id": spec["metrics"][0]["metric_id"], "value": sign * end[1]}
            predicted = {**last, "metrics": [metric]}
            predicted["elapsed_duration" if by_time else "step_count"] = f"{end[0]}s" if by_time else int(end[0])
            trial["measurements"].append(predicted)
        return end is not None

    def _follow(self, table: Table, name: str, trial: Document, custom_job: Document) -> None:
        """Take in where a trial's custom job stands."""
        state = custom_job["state"]
        if state == "JOB_STATE_RUNNING" and trial["state"] == "REQUESTED":
            trial.update(state="ACTIVE", start_time=custom_job["start_time"])
        elif state in life.ENDED:
            self._end_trial(table, name, trial, custom_job)
        self._keep(table, name)

    def _end_trial(self, table: Table, name: str, trial: Document, custom_job: Document) -> None:
        job = table[name]
        spec = job["study_spec"]
        failed = custom_job["state"] == "JOB_STATE_FAILED"
        found = None if failed else measured.final(trial, spec)
        trial["end_time"] = self._world.stamp()
        if found is None:
            missing = "The trial reported no measurement of every metric of the study."
            told = (custom_job.get("error") or {}).get("message", missing) if failed else missing
            trial.update(state="INFEASIBLE", infeasible_reason=told)
            self._points_of(table, name).tell(trial["id"], None)
            return
        trial.update(state="SUCCEEDED", final_measurement=found)
        self._points_of(table, name).tell(trial["id"], measured.values_of(found, spec["metrics"]))

    # The job --------------------------------------------------------------------------------------------------------

    def _advance(self, table: Table, name: str) -> None:
        """End the job if it is time, else start as many trials as the limits allow. Needs the lock."""
        job = table[name]
        if job["state"] in life.ENDED:
            return
        if "_end" not in job and self._too_many_failed(job):
            reason = next(one["infeasible_reason"] for one in reversed(job["trials"]) if one["state"] == "INFEASIBLE")
            told = f"Too many failed trials. The last one: {reason}"
            self._close(table, name, "JOB_STATE_FAILED", words.error("INVALID_ARGUMENT", told))
        while "_end" not in job and len(running(job)) < job["parallel_trial_count"]:
            point = None
            if len(job["trials"]) < job["max_trial_count"]:
                point = self._points_of(table, name).ask(str(len(job["trials"]) + 1))
            if point is None:
                job["_end"] = ["JOB_STATE_SUCCEEDED", None]
            else:
                self._start(table, name, point)
        self._keep(table, name)
        if "_end" in job and not running(job):
            state, error = job["_end"]
            self._points.pop(name, None)
            self._change(table, name, state, end_time=self._world.stamp(), **({"error": error} if error else {}))

    def _too_many_failed(self, job: Document) -> bool:
        failed = sum(trial["state"] == "INFEASIBLE" for trial in job["trials"])
        most = job.get("max_failed_trial_count") or 0
        limit = most or _LIMITS[self._world.switches["failed-trials-limit"]](job["max_trial_count"])
        return bool(failed >= limit)

    def _start(self, table: Table, name: str, point: Point) -> None:
        job = table[name]
        trial_id = str(len(job["trials"]) + 1)
        request = {
            "display_name": f"{job['display_name'][:100]}-trial-{trial_id}",
            "job_spec": trial_spec(job["trial_job_spec"], trial_id, point),
            "labels": job.get("labels") or {},
        }
        if "encryption_spec" in job:
            request["encryption_spec"] = job["encryption_spec"]
        try:
            made = jobs.create(self._world, table.scope, request, _trial={"id": trial_id, "job": name})
        except GoogleError as refused:
            self._close(table, name, "JOB_STATE_FAILED", refused.status())
            return
        study = f"{names.parent_of(name)}/studies/{names.id_of(name)}"
        job["trials"].append(
            {
                "name": f"{study}/trials/{trial_id}",
                "id": trial_id,
                "state": "REQUESTED",
                "parameters": [{"parameter_id": key, "value": value} for key, value in point.items()],
                "custom_job": made["name"],
            }
        )

    def _close(self, table: Table, name: str, state: str, error: Document) -> None:
        """Start no more trials, and stop those that run."""
        table[name]["_end"] = [state, error]
        self._stop_all(table, name)

    def _stop_all(self, table: Table, name: str) -> None:
        for trial in running(table[name]):
            trial["state"] = "STOPPING"
            jobs.cancel(self._world, table.scope, trial["custom_job"])
        self._keep(table, name)

    def _points_of(self, table: Table, name: str) -> Points:
        if name not in self._points:
            job = table[name]
            spec = job["study_spec"]
            made = self._points[name] = Points(spec, name, len(job["trials"]))
            for trial in job["trials"]:
                if trial["state"] == "SUCCEEDED":
                    point = {one["parameter_id"]: one["value"] for one in trial["parameters"]}
                    values = measured.values_of(trial["final_measurement"], spec["metrics"])
                    made.learn(point, values or [])
        return self._points[name]

    def _keep(self, table: Table, name: str) -> None:
        job = table[name]
        job["update_time"] = self._world.stamp()
        table.put(name, job)

    def _change(self, table: Table, name: str, state: str, **updates: Any) -> None:
        self._world.change(table, name, "state", state, update_time=self._world.stamp(), **updates)


def running(job: Document) -> list[Document]:
    """The trials that have not ended."""
    return [trial for trial in job["trials"] if trial["state"] in LIVE]


def trial_spec(spec: Document, trial_id: str, point: Point) -> Document:
    """The job of one trial: `--NAME=VALUE` after every replica's arguments, and an output folder of its own.

    Google's page "Hyperparameter tuning overview" for the arguments, CustomJobSpec.base_output_directory for folders.
    """
    found = copy.deepcopy(spec)
    words_ = [f"--{name}={_text(value)}" for name, value in point.items()]
    for pool in found["worker_pool_specs"]:
        task = pool.get("container_spec") or pool.get("python_package_spec")
        if task is not None:
            task["args"] = [*(task.get("args") or []), *words_]
    base = (found.get("base_output_directory") or {}).get("output_uri_prefix")
    if base:
        found["base_output_directory"] = {"output_uri_prefix": f"{base.rstrip('/')}/{trial_id}"}
    return found


def _text(value: Any) -> str:
    """A value as an argument: whole numbers without a fraction, so that programs may read an int."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def _scope(name: str) -> Scope:
    account, region = names.parse("/".join(name.split("/")[:4]), jobs.PARENT)
    return Scope(account, region)
