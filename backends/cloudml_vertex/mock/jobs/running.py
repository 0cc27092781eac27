"""What all long jobs have in common: queue, machines, faults, cancel, waiting without a worker, the end, a start again.

A job's document says all that a mock needs that is started again; what is here is only of the work that runs. It is
done on `world.workers`; a job that a fault holds up is parked, so that it holds neither a worker nor the clock.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from cloudml.mocks.clock import Timer
from cloudml.mocks.faults import Fault
from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import words

log = logging.getLogger(__name__)

FOLDER = "jobs"
"""Where jobs have their folders, below the mock's."""
ACTIVE = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"})
ENDED = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"})
TASK_NAMES = "pipeline-task-names"
"""In `World.rooms`: the names of pipelines' tasks by the display names of their jobs."""


class JobFailed(Exception):
    """The job ends as failed, with this google.rpc code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class JobStopped(Exception):
    """The job was told to stop."""


class Abandoned(Exception):
    """The mock is going down: the job is left as it is, to begin again when the mock does."""


class Parked(Exception):
    """The job waits, and something else will go on with it; or it has ended."""


class JobRun:
    """One job on its way. A kind of job says what its work is."""

    kind: ClassVar[str]
    """The table of its documents; faults know jobs as `KIND/DISPLAY NAME`."""
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    """What `work` raises for requests that turn out wrong: the job fails with INVALID_ARGUMENT."""

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        self.world = world
        self.scope = scope
        self.name = name
        self.id = names.id_of(name)
        # Its own even beside what is left of the same job in a world that was reset.
        self.folder: Path = world.folder / FOLDER / f"{self.id}-{secrets.token_hex(4)}"
        self.stopping = ""
        """Why it stops: "" while it does not, then "cancel" or a kind's own reason."""
        self.lock = threading.Lock()
        self.fault: Fault | None = None
        self.timers: list[Timer] = []
        self._parked = False

    # What a kind of job says ----------------------------------------------------------------------------------------

    def work(self) -> None:
        """From an empty folder to the end, which it tells by `end`."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Begin to end what runs; must not wait. Called with the job's lock."""
        raise NotImplementedError

    def no_machines(self, fault: Fault) -> NoReturn:
        """There are no machines."""
        raise JobFailed("RESOURCE_EXHAUSTED", words.stockout(self.scope))

    def provisioned(self) -> None:
        """The machines are there: from now on the job runs."""
        self.run()

    def stop_result(self) -> tuple[str, Document]:
        """State and error of a job that was told to stop."""
        return "JOB_STATE_CANCELLED", words.error("CANCELLED", words.CANCELLED)

    def last(self) -> Document:
        """What else is set at the end, whatever that is."""
        return {}

    # The document ---------------------------------------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The table of this kind."""
        return self.world.table(self.kind, self.scope)

    @property
    def document(self) -> Document:
        """The job's document; change it only under the world's lock."""
        return self.table[self.name]

    def change(self, state: str, **updates: Any) -> None:
        """Set the state and more, and tell everyone."""
        with self.world.lock:
            if self.name in self.table:
                self.world.change(self.table, self.name, "state", state, update_time=self.world.stamp(), **updates)

    def subjects(self) -> list[str]:
        """What rules of faults match."""
        shown = self.document["display_name"]
        found = [f"{self.kind}/{shown}"]
        task = self.world.rooms.get(TASK_NAMES, {}).get(shown)
        if task is not None:
            found.append(f"task/{task}")
        return found

    # Life -----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Queue it."""
        self.submit(self._first)

    def stop(self, reason: str) -> bool:
        """Stop it; False when it has ended or stops already. Processes get SIGTERM, and SIGKILL when that does not
        help. Needs the world's lock."""
        with self.lock:
            if self.stopping or self.document["state"] not in ACTIVE:
                return False
            self.stopping = reason
            parked, self._parked = self._parked, False
            self.interrupt()
        if reason == "cancel":
            self.change("JOB_STATE_CANCELLING")
        if parked:
            self.submit(self._stopped)
        return True

    def submit(self, work: Callable[[], None]) -> None:
        """Go on with `work` on a worker."""
        self.world.workers.submit(lambda: self._guard(work), f"{self.kind} {self.id}")

    def check(self) -> None:
        """Raises what ends the job when it was told to stop."""
        if self.world.closing.is_set():
            raise Abandoned
        if self.stopping:
            raise JobStopped

    def run(self, **updates: Any) -> None:
        """Enter JOB_STATE_RUNNING, then do the work, as far as no fault keeps it from that."""
        self.check()
        start = self.document.get("start_time") or stamp(self.world.now())
        self.change("JOB_STATE_RUNNING", start_time=start, **updates)
        kind = self.fault.kind if self.fault else ""
        if kind == "internal":
            raise JobFailed("INTERNAL", words.INTERNAL)
        self.running()
        if self.fault and kind in {"hang", "slow"}:
            self.park(self.fault.seconds if kind == "slow" else None, self.work)
        self.work()

    def running(self) -> None:
        """The job has entered JOB_STATE_RUNNING."""

    def limit(self, when: float, reason: str) -> None:
        """Stop the job for that reason when it is `when` (seconds since the epoch)."""

        def reached() -> None:
            with self.world.lock:
                if self.name in self.table:
                    self.stop(reason)

        self.timers.append(self.world.clock.call_in(max(0.0, when - self.world.now()), reached, reason))

    def park(self, pause: float | None, work: Callable[[], None]) -> NoReturn:
        """Leave the worker; go on with `work` after so many seconds of the clock, or never (None)."""
        with self.lock:
            if self.stopping:
                raise JobStopped
            self._parked = True
        if pause == 0:
            self._unpark(work)
        elif pause is not None:
            self.timers.append(self.world.clock.call_in(pause, lambda: self._unpark(work), "held up"))
        raise Parked

    def end(self, state: str, error: Document | None) -> None:
        """The job is over, unless the mock goes down."""
        if self.world.closing.is_set():  # then whatever failed may have failed for that
            self.clean()
            return
        for timer in self.timers:
            timer.cancel()
        self.clean()
        with self.world.lock:
            runs(self.world).pop(self.name, None)
            if self.name in self.table:
                told = {"error": error} if error else {}
                self.change(state, end_time=self.world.stamp(), **self.last(), **told)

    def clean(self) -> None:
        """Remove the job's folder."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _first(self) -> None:
        self.check()
        self.fault = self.world.faults.strike("job", *self.subjects())
        if self.fault and self.fault.kind == "capacity":
            self.no_machines(self.fault)
        self.provisioned()

    def _guard(self, work: Callable[[], None]) -> None:
        """Do work; whatever it raises becomes the job's end."""
        try:
            work()
        except Abandoned:
            self.clean()
        except Parked:
            return
        except JobStopped:
            self.end(*self.stop_result())
        except JobFailed as failure:
            self.end("JOB_STATE_FAILED", words.error(failure.code, failure.message))
        except GoogleError as error:
            self.end("JOB_STATE_FAILED", error.status())
        except self.refusals as refusal:
            self.end("JOB_STATE_FAILED", words.error("INVALID_ARGUMENT", str(refusal)))
        except Exception as error:
            if self.world.closing.is_set():  # its sandbox went from under it
                self.clean()
                return
            log.exception("%s failed inside the mock", self.name)
            self.end("JOB_STATE_FAILED", words.error("INTERNAL", f"{words.INTERNAL} {type(error).__name__}: {error}"))

    def _unpark(self, work: Callable[[], None]) -> None:
        with self.lock:
            parked, self._parked = self._parked, False
        if parked:
            self.submit(work)

    def _stopped(self) -> None:
        raise JobStopped


def runs(world: World) -> dict[str, JobRun]:
    """The jobs that run or wait, by name."""
    found: dict[str, JobRun] = world.rooms.setdefault("jobs", {})
    return found


def begin(run: JobRun) -> None:
    """Start a job that its document tells of. Needs the world's lock."""
    runs(run.world)[run.name] = run
    run.begin()


def resume(world: World, make: type[JobRun]) -> None:
    """Begin anew the jobs of a kind that had not ended when the mock did. In a room's `install`."""
    with world.lock:
        for table in world.store.tables(make.kind):
            for name, document in table.items():
                if document["state"] not in ENDED:
                    run = make(world, table.scope, name)
                    run.stopping = "cancel" if document["state"] == "JOB_STATE_CANCELLING" else ""
                    begin(run)
