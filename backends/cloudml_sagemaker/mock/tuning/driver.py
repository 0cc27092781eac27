"""Driving tuning jobs: start trials up to the limits, take in what they give, end when a limit is reached."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope, Table
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.tuning import record
from cloudml_sagemaker.mock.tuning.points import Points
from cloudml_sagemaker.mock.tuning.rules import band, definitions, objective, ranges
from cloudml_sagemaker.mock.tuning.stopping import halving_says_stop, median_says_stop
from cloudml_sagemaker.mock.tuning.verdict import came_to_nothing, verdict

log = logging.getLogger(__name__)

KIND = "HyperParameterTuningJob"
STATUS = "HyperParameterTuningJobStatus"
Key = tuple[Scope, str]


class Tuner:
    """Every tuning job of a world. The points of running jobs are in memory and made anew after a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._points: dict[Key, list[Points]] = {}
        self._owners: dict[Key, str] = {}
        self._reports: dict[Key, dict[str, list[float]]] = {}

    def begin(self, table: Table, name: str) -> None:
        """Start a tuning job that was just created. Needs the lock."""
        job = table[name]
        limit = job["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxRuntimeInSeconds")
        if limit is not None:
            end = datetime.fromtimestamp(job["CreationTime"] + limit, UTC)
            self._world.clock.call_at(end, lambda: self._time_is_up(table, name), f"limit of tuning job {name}")
        self._advance(table, name)

    def stop(self, table: Table, name: str) -> None:
        """StopHyperParameterTuningJob. Needs the lock."""
        self._world.change(table, name, STATUS, "Stopping", _end="Stopped")
        self._stop_trials(table, name)
        self._advance(table, name)

    def resume(self) -> None:
        """Go on with what a store from before holds."""
        with self._world.lock:
            for table in self._world.store.tables(KIND):
                for name, job in table.items():
                    if job[STATUS] in {"InProgress", "Stopping"}:
                        for trial in record.running(job):
                            self._owners[(table.scope, trial["name"])] = name
                            self._take_in(table, name, trial["name"])
                        self.begin(table, name)

    def trial_changed(self, change: Change) -> None:
        """A training job changed its status; it may be a trial."""
        name = self._owners.get((change.scope, change.name))
        if name is None:
            return
        with self._world.lock:
            table = self._world.table(KIND, change.scope)
            if name in table:
                self._take_in(table, name, change.name)
                self._advance(table, name)

    def metric_seen(self, change: Change) -> None:
        """A running training job reported a metric: early stopping may end it."""
        name = self._owners.get((change.scope, change.name))
        if name is None:
            return
        with self._world.lock:
            table = self._world.table(KIND, change.scope)
            job = table.get(name)
            trial = next((one for one in job["_trials"] if one["name"] == change.name), None) if job else None
            if job is None or trial is None or trial["status"] in record.ENDED:
                return
            wanted = objective(job, record.definition_of(job, trial))["MetricName"]
            if change.details["name"] != wanted or not math.isfinite(change.details["value"]):
                return
            reports = self._reports.setdefault((table.scope, name), {})
            reports.setdefault(change.name, []).append(float(change.details["value"]))
            if self._early(job, trial, reports):
                self._stop_one(table.scope, change.name)

    def _early(self, job: Document, trial: Document, reports: dict[str, list[float]]) -> bool:
        config = job["HyperParameterTuningJobConfig"]
        up = record.maximize(job, trial["definition"])
        peers = {one["name"] for one in job["_trials"] if one["definition"] == trial["definition"]}
        mine = {name: values for name, values in reports.items() if name in peers}
        if config["Strategy"] == "Hyperband":
            low, high = band(job, record.definition_of(job, trial))
            if self._world.switches["hyperband-max-resource"] == "exceeds":
                high += 1
            return halving_says_stop(trial["name"], mine, low, high, maximize=up)
        if config.get("TrainingJobEarlyStoppingType") != "Auto":
            return False
        ended = {one["name"] for one in job["_trials"] if one["status"] == "Completed"}
        others = [values for name, values in mine.items() if name in ended]
        return median_says_stop(mine[trial["name"]], others, maximize=up)

    def _take_in(self, table: Table, name: str, trial_name: str) -> None:
        job = table[name]
        trial = next(one for one in job["_trials"] if one["name"] == trial_name)
        if trial["status"] in record.ENDED:
            return
        # A trial that has ended may be deleted before it is looked at: then nothing is known of it.
        seen = self._world.table("TrainingJob", table.scope).get(trial_name) or {"TrainingJobStatus": "Stopped"}
        trial["status"] = seen["TrainingJobStatus"]
        trial["started"], trial["ended"] = seen.get("TrainingStartTime"), seen.get("TrainingEndTime")
        trial["reason"] = seen.get("FailureReason")
        if trial["status"] in record.ENDED:
            metric = objective(job, record.definition_of(job, trial))["MetricName"]
            finals = {one["MetricName"]: one["Value"] for one in seen.get("FinalMetricDataList") or []}
            value = finals.get(metric) if trial["status"] != "Failed" else None
            trial["value"] = value if value is not None and math.isfinite(value) else None
            trial["order"] = 1 + max((one.get("order", 0) for one in job["_trials"]), default=0)
            self._owners.pop((table.scope, trial_name), None)
            self._points_of(table, name)[trial["definition"]].tell(trial["point"], trial["value"])
        record.refresh(job, self._world.now())
        table.put(name, job)

    def _advance(self, table: Table, name: str) -> None:
        """End the job if it is time, else start as many trials as the limits allow."""
        job = table[name]
        if job[STATUS] == "InProgress":
            end = verdict(job) if "_end" not in job else None
            if end is not None:
                job.update(end)
                table.put(name, job)
                self._stop_trials(table, name)
        if "_end" not in job:
            self._start_trials(table, name)
        if not record.running(job) and ("_end" in job or job.get("_used_up")):
            self._finish(table, name)

    def _start_trials(self, table: Table, name: str) -> None:
        job = table[name]
        limits = job["HyperParameterTuningJobConfig"]["ResourceLimits"]
        most = limits.get("MaxNumberOfTrainingJobs")
        while len(record.running(job)) < limits["MaxParallelTrainingJobs"]:
            number = len(job["_trials"])
            if most is not None and number >= most:
                job["_used_up"] = True
                break
            found = _ask(self._points_of(table, name), number)
            if found is None:
                job["_used_up"] = True
                break
            if not self._start_one(table, name, *found):
                break
        table.put(name, job)

    def _start_one(self, table: Table, name: str, index: int, point: dict[str, str]) -> bool:
        job = table[name]
        number = len(job["_trials"]) + 1
        trial_name = f"{name}-{number:03d}-{self._world.unique(name)[:8]}"
        try:
            request = record.training_request(job, index, trial_name, point)
            arn = self._world.call(table.scope, "CreateTrainingJob", request)["TrainingJobArn"]
        except AwsError as refused:
            job.update({"_end": "Failed", "FailureReason": refused.message})
            table.put(name, job)
            self._stop_trials(table, name)
            return False
        training = self._world.table("TrainingJob", table.scope)[trial_name]
        training["TuningJobArn"] = job["HyperParameterTuningJobArn"]
        self._world.table("TrainingJob", table.scope).put(trial_name, training)
        self._owners[(table.scope, trial_name)] = name
        trial = {"name": trial_name, "arn": arn, "definition": index, "point": point, "status": "InProgress"}
        job["_trials"].append({**trial, "created": self._world.now()})
        record.refresh(job, self._world.now())
        table.put(name, job)
        return True

    def _finish(self, table: Table, name: str) -> None:
        job = table[name]
        end = job.get("_end", "Completed")
        updates: Document = {"HyperParameterTuningEndTime": self._world.now()}
        failure = came_to_nothing(job) if end == "Completed" and job["_trials"] else None
        if failure is not None:
            end = failure["_end"]
            updates["FailureReason"] = failure["FailureReason"]
        updates["ConsumedResources"] = {"RuntimeInSeconds": int(self._world.now() - job["CreationTime"])}
        record.refresh(job, self._world.now())
        self._points.pop((table.scope, name), None)
        self._reports.pop((table.scope, name), None)
        self._world.change(table, name, STATUS, end, **updates)

    def _time_is_up(self, table: Table, name: str) -> None:
        with self._world.lock:
            if name in table and table[name][STATUS] == "InProgress" and "_end" not in table[name]:
                table[name]["_end"] = (
                    "Completed" if self._world.switches["tuning-time-limit"] == "complete" else "Stopped"
                )
                self._stop_trials(table, name)
                self._advance(table, name)

    def _stop_trials(self, table: Table, name: str) -> None:
        for trial in record.running(table[name]):
            self._stop_one(table.scope, trial["name"])

    def _stop_one(self, scope: Scope, trial_name: str) -> None:
        try:
            self._world.call(scope, "StopTrainingJob", {"TrainingJobName": trial_name})
        except AwsError as refused:  # it ended a moment ago
            log.debug("trial %s was not stopped: %s", trial_name, refused)

    def _points_of(self, table: Table, name: str) -> list[Points]:
        key = (table.scope, name)
        if key not in self._points:
            self._points[key] = _make_points(table[name])
        return self._points[key]


def _ask(points: list[Points], number: int) -> tuple[int, dict[str, str]] | None:
    """The `number`-th trial's definition and point: the definitions take turns until the grids of all are used up."""
    for turn in range(number, number + len(points)):
        index = turn % len(points)
        point = points[index].ask()
        if point is not None:
            return index, point
    return None


def _make_points(job: Document) -> list[Points]:
    config = job["HyperParameterTuningJobConfig"]
    name = job["HyperParameterTuningJobName"]
    made = [
        Points(
            ranges(job, definition),
            config["Strategy"],
            config.get("RandomSeed"),
            f"{name}/{index}",
            maximize=record.maximize(job, index),
            asked=sum(trial["definition"] == index for trial in job["_trials"]),
        )
        for index, definition in enumerate(definitions(job))
    ]
    for known in job.get("_inherited") or []:
        made[0].learn(known["point"], known["value"])
    for trial in job["_trials"]:
        if trial.get("value") is not None:
            made[trial["definition"]].learn(trial["point"], trial["value"])
    return made
