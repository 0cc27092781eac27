"""Lets schedules fire: timers on the mock's clock, the calls that start runs, and the ends of those runs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.clock import Timer
from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.times import seconds, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.schedules import cron
from cloudml_vertex.mock.schedules.timetable import SKIPPED, Limits, due

log = logging.getLogger(__name__)

KIND = "Schedule"
JOBS = "PipelineJob"

REQUESTS: dict[str, tuple[str, str]] = {
    "create_pipeline_job_request": ("PipelineService.CreatePipelineJob", "v1beta1"),
    "create_model_monitoring_job_request": ("ModelMonitoringService.CreateModelMonitoringJob", "v1beta1"),
}
"""What a schedule can start: its field, the RPC and the version that has all of its fields."""

_OVER = frozenset({"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"})


class Timers:
    """The timers of all schedules of a mock. Use it under `World.lock`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timers: dict[str, Timer] = {}

    def plan(self, scope: Scope, name: str, after: float, *, inclusive: bool = False) -> None:
        """Find the first cron time after `after` (or then), and set the timer for it, or for the schedule's end."""
        table = self._world.table(KIND, scope)
        document = table[name]
        self.stop(name)
        document["_next"] = cron.parse(document["cron"]).next(after - (1e-3 if inclusive else 0.0))
        self._show(document)
        table.put(name, document)
        self._set(scope, name)

    def stop(self, name: str) -> None:
        """Set no more for it."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def fire(self, scope: Scope, name: str, moments: list[float]) -> None:
        """Runs fall due at `moments`; together with those that wait, some start, wait or are skipped."""
        table = self._world.table(KIND, scope)
        document = table[name]
        what = due(
            _limits(document),
            document.get("_queue", ()),
            moments,
            active=len(document.get("_active", ())),
            started=document.get("started_run_count", 0),
        )
        document["_queue"] = list(what.queue)
        for moment in what.skip:
            document["last_scheduled_run_response"] = {"scheduled_run_time": stamp(moment), "run_response": SKIPPED}
        table.put(name, document)
        for moment in what.start:
            self._start(scope, document, moment)
        self._show(document)
        table.put(name, document)
        if what.completed and document["state"] == "ACTIVE":
            self.complete(scope, name)

    def complete(self, scope: Scope, name: str) -> None:
        """The schedule starts nothing any more."""
        self.stop(name)
        table = self._world.table(KIND, scope)
        table[name].pop("next_run_time", None)
        self._world.change(table, name, "state", "COMPLETED", update_time=self._world.stamp(), _next=None)

    def job_changed(self, change: Change) -> None:
        """A pipeline job has ended: a run that waits may start. Subscriber of the bus."""
        name = change.document.get("schedule_name")
        if change.after not in _OVER or not name:
            return
        with self._world.lock:
            document = self._world.table(KIND, change.scope).get(name)
            if document is None or change.name not in document.get("_active", ()):
                return
            document["_active"].remove(change.name)
            self._world.table(KIND, change.scope).put(name, document)
            if document["state"] != "PAUSED" and document.get("_queue"):
                self.fire(change.scope, name, [])

    def resume(self) -> None:
        """Set the timers of what the store holds; of the times that have passed the last one is made up for."""
        with self._world.lock:
            for table in self._world.store.tables(KIND):
                for name, document in table.items():
                    self._check_active(table.scope, document)
                    if document["state"] == "ACTIVE":
                        self._resume(table.scope, name, document)

    def _resume(self, scope: Scope, name: str, document: Document) -> None:
        last, now = document.get("_next"), self._world.now()
        if last is not None and last <= now:
            missed = cron.parse(document["cron"]).between(last, now)
            document["_next"] = missed[-1] if missed else last
        self._set(scope, name)
        if document.get("_queue"):
            self.fire(scope, name, [])

    def _check_active(self, scope: Scope, document: Document) -> None:
        jobs = self._world.table(JOBS, scope)
        mine = (job for job in jobs if job.get("schedule_name") == document["name"])
        document["_active"] = [job["name"] for job in mine if job["state"] not in _OVER]

    def _set(self, scope: Scope, name: str) -> None:
        document = self._world.table(KIND, scope)[name]
        moments = [document["_next"]] if document.get("_next") is not None else []
        if "end_time" in document:
            moments.append(seconds(document["end_time"]))
        if moments:
            when = datetime.fromtimestamp(min(moments), UTC)
            self._timers[name] = self._world.clock.call_at(when, partial(self._tick, scope, name), f"schedule {name}")

    def _tick(self, scope: Scope, name: str) -> None:
        with self._world.lock:
            document = self._world.table(KIND, scope).get(name)
            if document is None or document["state"] != "ACTIVE" or self._world.closing.is_set():
                return
            now, moment = self._world.now(), document.get("_next")
            end = seconds(document["end_time"]) if "end_time" in document else None
            if moment is not None and moment <= now and (end is None or moment <= end):
                # The next time first: a run that is killed half-way is not started again.
                self.plan(scope, name, moment)
                self.fire(scope, name, [moment])
            elif end is not None and end <= now:
                self.complete(scope, name)
            else:
                self._set(scope, name)

    def _start(self, scope: Scope, document: Document, moment: float) -> None:
        answer = {"scheduled_run_time": stamp(moment), "run_response": "OK"}
        field = next(field for field in REQUESTS if field in document)
        rpc, version = REQUESTS[field]
        said: dict[str, Any] = {"schedule_name": document["name"], "_schedule_time": stamp(moment)}
        self._world.rooms["_schedule"] = said
        try:
            made = self._world.call(scope, rpc, dict(document[field]), version)
        except GoogleError as error:
            log.info("a run of %s was not started: %s", document["name"], error)
            answer["run_response"] = f"{error.code}: {error.message}"
        else:
            document["started_run_count"] = document.get("started_run_count", 0) + 1
            if field == "create_pipeline_job_request":
                document.setdefault("_active", []).append(made["name"])
        finally:
            self._world.rooms.pop("_schedule", None)
        document["last_scheduled_run_response"] = answer

    def _show(self, document: Document) -> None:
        """`next_run_time`: in the past while runs wait, which are then behind schedule."""
        found = next(iter(document.get("_queue", ())), document.get("_next"))
        end = seconds(document["end_time"]) if "end_time" in document else None
        if found is None or (end is not None and found > end):
            document.pop("next_run_time", None)
        else:
            document["next_run_time"] = stamp(found)


def _limits(document: Document) -> Limits:
    return Limits(
        active=document.get("max_concurrent_active_run_count") or None,
        runs=document.get("max_run_count") or None,
        queueing=bool(document.get("allow_queueing")),
    )


def timers_of(world: World) -> Timers:
    """The timers of a mock."""
    found = world.rooms["schedules"]
    assert isinstance(found, Timers)
    return found
