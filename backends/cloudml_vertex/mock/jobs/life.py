"""The life of a custom job: queue, machines, containers, cancel, time limit, faults, the end, and a start again.

A job's document says all that a mock needs that is started again; what is here is only of the processes that run. The
work is done on `world.workers`; a job that a fault holds up is parked, so that it holds neither a worker nor the clock.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from cloudml.mocks.clock import Timer
from cloudml.mocks.faults import Fault
from cloudml.mocks.processes import LOST
from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core import gcs, names
from cloudml_vertex.mock.core.container import ImageRefused
from cloudml_vertex.mock.core.times import duration, seconds, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import words
from cloudml_vertex.mock.jobs.cluster import lay_out, output_variables
from cloudml_vertex.mock.jobs.crew import Crew
from cloudml_vertex.mock.jobs.packages import PackageRefused

log = logging.getLogger(__name__)

KIND = "CustomJob"
FOLDER = "jobs"
"""Where jobs have their folders, below the mock's."""
ACTIVE = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"})
ENDED = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"})
TASK_NAMES = "pipeline-task-names"
"""In `World.rooms`: the names of pipelines' tasks by the display names of their jobs."""
_TIMEOUT = 7 * 86_400.0
_MAX_WAIT = 86_400.0
"""Defaults of Scheduling.timeout and Scheduling.max_wait_duration."""
_LOOK_SECONDS = 0.05
_TIMEOUT_STATES = {
    "cancelled": ("JOB_STATE_CANCELLED", "CANCELLED"),
    "failed": ("JOB_STATE_FAILED", "DEADLINE_EXCEEDED"),
    "expired": ("JOB_STATE_EXPIRED", "DEADLINE_EXCEEDED"),
}
_WAIT_STATES = {"expired": "JOB_STATE_EXPIRED", "failed": "JOB_STATE_FAILED"}


class JobFailed(Exception):
    """The job ends as failed, with this google.rpc code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Stopped(Exception):
    """The job was told to stop."""


class _Abandoned(Exception):
    """The mock is going down: the job is left as it is, to begin again when the mock does."""


class _Parked(Exception):
    """The job waits, and something else will go on with it."""


class Run:
    """One custom job on its way."""

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        self.world = world
        self.scope = scope
        self.name = name
        self.id = names.id_of(name)
        # Its own even beside what is left of the same job in a world that was reset.
        self.folder: Path = world.folder / FOLDER / f"{self.id}-{secrets.token_hex(4)}"
        self.stopping = ""
        """Why it stops: "" while it does not, then "cancel", "timeout" or "wait"."""
        self._lock = threading.Lock()
        self._crew: Crew | None = None
        self._fault: Fault | None = None
        self._preemption: Fault | None = None
        self._parked = False
        self._timers: list[Timer] = []

    # The document --------------------------------------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The table of custom jobs."""
        return self.world.table(KIND, self.scope)

    @property
    def document(self) -> Document:
        """The job's document; change it only under the world's lock."""
        return self.table[self.name]

    @property
    def scheduling(self) -> Document:
        """The request's scheduling."""
        found: Document = self.document["job_spec"].get("scheduling") or {}
        return found

    def change(self, state: str, **updates: Any) -> None:
        """Set the state and more, and tell everyone."""
        with self.world.lock:
            if self.name in self.table:
                self.world.change(self.table, self.name, "state", state, update_time=self.world.stamp(), **updates)

    def subjects(self) -> list[str]:
        """What rules of faults match."""
        shown = self.document["display_name"]
        found = [f"{KIND}/{shown}"]
        task = self.world.rooms.get(TASK_NAMES, {}).get(shown)
        if task is not None:
            found.append(f"task/{task}")
        return found

    # Life ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Queue it."""
        self._submit(self._first)

    def stop(self, reason: str) -> bool:
        """Stop it; False when it has ended or stops already. Processes get SIGTERM, and SIGKILL when that does not
        help. Needs the world's lock."""
        with self._lock:
            if self.stopping or self.document["state"] not in ACTIVE:
                return False
            self.stopping = reason
            parked, self._parked = self._parked, False
            crew = self._crew
        if reason == "cancel":
            self.change("JOB_STATE_CANCELLING")
        if crew is not None:
            crew.stop_soon()
        if parked:
            self._submit(self._stopped)
        return True

    def _submit(self, work: Callable[[], None]) -> None:
        self.world.workers.submit(lambda: self._guard(work), f"{KIND} {self.id}")

    def _guard(self, work: Callable[[], None]) -> None:
        """Do work; whatever it raises becomes the job's end."""
        try:
            work()
        except _Abandoned:
            self._clean()
        except _Parked:
            return
        except _Stopped:
            self._end(*self._stop_result())
        except JobFailed as failure:
            self._end("JOB_STATE_FAILED", words.error(failure.code, failure.message))
        except (ImageRefused, PackageRefused) as refusal:
            self._end("JOB_STATE_FAILED", words.error("INVALID_ARGUMENT", str(refusal)))
        except Exception as error:
            if self.world.closing.is_set():  # its sandbox went from under it
                self._clean()
                return
            log.exception("%s failed inside the mock", self.name)
            self._end("JOB_STATE_FAILED", words.error("INTERNAL", f"{words.INTERNAL} {type(error).__name__}: {error}"))

    def _stop_result(self) -> tuple[str, Document]:
        if self.stopping == "timeout":
            state, code = _TIMEOUT_STATES[self.world.switches["job-timeout"]]
            return state, words.error(code, words.TIMEOUT)
        if self.stopping == "wait":
            state = _WAIT_STATES[self.world.switches["flex-start-wait-over"]]
            return state, words.error("RESOURCE_EXHAUSTED", words.NO_MACHINES_IN_TIME)
        return "JOB_STATE_CANCELLED", words.error("CANCELLED", words.CANCELLED)

    def check(self) -> None:
        """Raises what ends the job when it was told to stop."""
        if self.world.closing.is_set():
            raise _Abandoned
        if self.stopping:
            raise _Stopped

    def _first(self) -> None:
        self.check()
        self._fault = self.world.faults.strike("job", *self.subjects())
        kind = self._fault.kind if self._fault else ""
        if kind == "capacity":
            self._no_machines()
        self._provisioned()

    def _no_machines(self) -> NoReturn:
        """The job fails, or waits for machines when it is scheduled so (docstring of Scheduling.max_wait_duration)."""
        if self.scheduling.get("strategy") != "FLEX_START":
            raise JobFailed("RESOURCE_EXHAUSTED", words.stockout(self.scope))
        wait = duration(self.scheduling["max_wait_duration"]) if "max_wait_duration" in self.scheduling else _MAX_WAIT
        if wait:
            self._limit(seconds(self.document["create_time"]) + wait, "wait")
        assert self._fault is not None
        self._park(self._fault.seconds or None, self._provisioned)

    def _provisioned(self) -> None:
        """The machines are there."""
        for timer in self._timers:
            timer.cancel()
        if self.document["state"] == "JOB_STATE_QUEUED":
            self.change("JOB_STATE_PENDING")
        self.check()
        now = self.world.now()
        start = self.document.get("start_time") or stamp(now)
        self.change("JOB_STATE_RUNNING", start_time=start)
        timeout = duration(self.scheduling["timeout"]) if "timeout" in self.scheduling else 0.0
        self._limit(seconds(start) + (timeout or _TIMEOUT), "timeout")
        kind = self._fault.kind if self._fault else ""
        if kind == "internal":
            raise JobFailed("INTERNAL", words.INTERNAL)
        if self.scheduling.get("strategy") in {"SPOT", "LOW_COST"}:
            self._preemption = self.world.faults.strike("spot", *self.subjects())
        if self._fault and kind in {"hang", "slow"}:
            self._park(self._fault.seconds if kind == "slow" else None, self._work)
        self._work()

    def _limit(self, when: float, reason: str) -> None:
        def reached() -> None:
            with self.world.lock:
                if self.name in self.table:
                    self.stop(reason)

        self._timers.append(self.world.clock.call_in(max(0.0, when - self.world.now()), reached, reason))

    def _park(self, pause: float | None, work: Callable[[], None]) -> NoReturn:
        """Leave the worker; go on with `work` after so many seconds of the clock, or never (None)."""
        with self._lock:
            if self.stopping:
                raise _Stopped
            self._parked = True
        if pause == 0:
            self._unpark(work)
        elif pause is not None:
            self._timers.append(self.world.clock.call_in(pause, lambda: self._unpark(work), "held up"))
        raise _Parked

    def _unpark(self, work: Callable[[], None]) -> None:
        with self._lock:
            parked, self._parked = self._parked, False
        if parked:
            self._submit(work)

    def _stopped(self) -> None:
        raise _Stopped

    def _work(self) -> None:
        """From an empty folder to the end of the containers."""
        self._clean()
        self.check()
        document = self.document
        crew = Crew(self.world, self.scope, document, lay_out(document["job_spec"], self.folder))
        struck: Fault | None = None
        try:
            with self._lock:
                self._crew = crew
            self.check()
            crew.launch()
            if self.stopping:
                crew.stop_soon()
            if self._fault and self._fault.kind == "die":
                crew.kill()
            struck = self._preempted(crew)
            failed = crew.wait(lambda: bool(self.stopping))
        finally:
            with self._lock:
                self._crew = None
            crew.settle()
        if struck is None or self.stopping:
            self._finish(failed)
        if self.scheduling.get("disable_retries"):
            raise JobFailed("RESOURCE_EXHAUSTED", words.PREEMPTED)
        self.change("JOB_STATE_PENDING")
        assert struck is not None
        self._park(struck.seconds, self._again)

    def _finish(self, failed: list[tuple[str, int]]) -> NoReturn:
        self.check()
        if any(code == LOST for _, code in failed):
            raise JobFailed("INTERNAL", words.INTERNAL)
        if failed:
            raise JobFailed("INVALID_ARGUMENT", words.exited(self.scope, self.id, failed))
        self._end("JOB_STATE_SUCCEEDED", None)
        raise _Parked

    def _again(self) -> None:
        """New spot machines: the code runs again from its beginning, with the checkpoints that it has written."""
        self.check()
        self.change("JOB_STATE_RUNNING")
        self._preemption = self.world.faults.strike("spot", *self.subjects())
        self._work()

    def _preempted(self, crew: Crew) -> Fault | None:
        """Take the spot machines away once there is a checkpoint, if the job has a folder for them; None when none are
        taken, or the job was quicker."""
        fault, self._preemption = self._preemption, None
        if fault is None:
            return None
        checkpoints = output_variables(self.document["job_spec"]).get("AIP_CHECKPOINT_DIR", "")
        while checkpoints and not gcs.exists(self.world, checkpoints):
            time.sleep(_LOOK_SECONDS)
            if self.stopping or crew.over():
                return None
        if crew.over():
            return None
        crew.stop()
        return fault

    def _end(self, state: str, error: Document | None) -> None:
        if self.world.closing.is_set():  # then whatever failed may have failed for that
            self._clean()
            return
        for timer in self._timers:
            timer.cancel()
        self._clean()
        with self.world.lock:
            runs(self.world).pop(self.name, None)
            self.change(state, end_time=self.world.stamp(), **({"error": error} if error else {}))

    def _clean(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder, ignore_errors=True)


def runs(world: World) -> dict[str, Run]:
    """The jobs that run or wait, by name."""
    found: dict[str, Run] = world.rooms.setdefault("jobs", {})
    return found


def begin(run: Run) -> None:
    """Start a job that its document tells of. Needs the world's lock."""
    runs(run.world)[run.name] = run
    run.begin()
