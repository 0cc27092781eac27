"""The life of a job of any kind: queue, container processes, stop, time limit, faults, the end, and a start again.

A job's document says all that a mock needs that is started again; what is here is only of the processes that run. The
work is done on `world.workers`; a job that a fault holds up is parked, so that it holds neither a worker nor the clock.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cloudml.mocks.clock import Timer
from cloudml.mocks.faults import Fault
from cloudml.mocks.processes import LOST, terminate, wait_for
from cloudml.mocks.sandbox import Process
from cloudml.mocks.store import Document, Scope, Table
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.container import ImageRefused
from cloudml_sagemaker.mock.core.logs import Lines, Shipper, ship
from cloudml_sagemaker.mock.core.world import World

log = logging.getLogger(__name__)

CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
REASON_LENGTH = 1024
FOLDER = "jobs"
"""Where jobs have their folders, below the mock's."""

_PIPELINE_NAME = re.compile(r"pipelines-[a-z0-9]+-(.+)-[A-Za-z0-9]+")


class JobFailed(Exception):
    """The job ends as Failed; the text is the FailureReason."""


class JobStopped(Exception):
    """The job was told to stop."""


class Abandoned(Exception):
    """The mock is going down: the job is left as it is, to begin again when the mock does."""


class Parked(Exception):
    """The job waits, and something else will go on with it."""


@dataclass(frozen=True)
class Host:
    """One instance: its name, the folder that stands at /opt/ml and the file that its output goes to."""

    name: str
    root: Path
    log: Path


class Run:
    """One job on its way. Subclasses say what its container is given and what becomes of what it leaves."""

    kind: str
    """The table, "ProcessingJob"."""
    status: str
    """The member that holds the status."""
    group: str
    """Of logs."""

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        self.world = world
        self.scope = scope
        self.name = name
        # Its own even beside what is left of the same job in a world that was reset.
        self.folder = world.folder / FOLDER / f"{name}-{secrets.token_hex(4)}"
        self.stopping = ""
        """Why it stops: "" while it does not, then "stop", "max-runtime" or "max-wait"."""
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._fault: Fault | None = None
        self._parked = False
        self._timers: list[Timer] = []
        self._shippers: list[Shipper] = []

    # What subclasses say -------------------------------------------------------------------------------------------

    def started(self) -> None:
        """The instances are there: note the start."""
        raise NotImplementedError

    def prepare(self, hosts: Sequence[Host]) -> None:
        """Lay out each host's folder. Raises JobFailed, S3Error."""
        raise NotImplementedError

    def launch(self, host: Host) -> Process:
        """Start the container. Raises ImageRefused."""
        raise NotImplementedError

    def running(self, hosts: Sequence[Host]) -> int:
        """Wait for the containers that were launched; the exit code. Called after all are launched."""
        return self.wait()

    def finish(self, hosts: Sequence[Host], code: int) -> None:
        """The containers have ended by themselves or were stopped: outputs. Raises JobFailed, S3Error."""
        raise NotImplementedError

    def again(self) -> float | None:
        """After how many seconds the job is to begin again, now that its containers have ended; None: it is not."""
        return None

    def ended(self, status: str, reason: str) -> None:
        """Note the end: "Completed", "Failed" with its reason, or "Stopped"."""
        raise NotImplementedError

    def instances(self) -> int:
        """How many hosts."""
        raise NotImplementedError

    def limits(self) -> Sequence[tuple[float, str]]:
        """Times (clock's, seconds since the epoch) at which the job is stopped, and why. Asked after `started`."""
        raise NotImplementedError

    def lines(self, host: Host) -> Lines | None:
        """Who is told the lines of the log."""
        return None

    # The document --------------------------------------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The table of jobs of this kind."""
        return self.world.table(self.kind, self.scope)

    @property
    def document(self) -> Document:
        """The job's document; change it only under the world's lock."""
        return self.table[self.name]

    def change(self, status: str, **updates: Any) -> None:
        """Set the status and more, and tell everyone."""
        with self.world.lock:
            self.world.change(self.table, self.name, self.status, status, LastModifiedTime=self.world.now(), **updates)

    def update(self, **updates: Any) -> None:
        """Change members that are not the status."""
        with self.world.lock:
            document = self.document
            document.update(updates)
            self.table.put(self.name, document)

    # Life ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Queue it."""
        self.world.workers.submit(lambda: self._guard(self._first), f"{self.kind} {self.name}")

    def stop(self, reason: str) -> bool:
        """Stop it; False when it has ended or stops already. Processes get SIGTERM, and SIGKILL when that does not
        help. Needs the world's lock."""
        with self._lock:
            if self.stopping or self.document[self.status] != "InProgress":
                return False
            self.stopping = reason
            parked, self._parked = self._parked, False
            processes = list(self._processes)
        self.stop_begins()
        if processes:
            threading.Thread(target=terminate, args=(processes,), name="mock-stop", daemon=True).start()
        if parked:
            self.world.workers.submit(lambda: self._guard(self._stopped), f"{self.kind} {self.name}")
        return True

    def stop_begins(self) -> None:
        """Note that it stops."""
        self.change("Stopping")

    def check(self) -> None:
        """Raises JobStopped when it was told to stop."""
        if self.world.closing.is_set():
            raise Abandoned
        if self.stopping:
            raise JobStopped

    def _guard(self, work: Callable[[], None]) -> None:
        """Do work; whatever it raises becomes the job's end."""
        try:
            work()
        except Abandoned:
            self._clean()
        except Parked:
            return
        except JobStopped:
            self._end("Stopped", "")
        except JobFailed as failure:
            self._end("Failed", str(failure))
        except ImageRefused as refusal:
            self._end("Failed", f"ClientError: {refusal}")
        except s3.S3Error as error:
            self._end("Failed", f"ClientError: {error}")
        except Exception as error:
            if self.world.closing.is_set():  # its sandbox went from under it
                self._clean()
                return
            log.exception("%s %s failed inside the mock", self.kind, self.name)
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _first(self) -> None:
        self.check()
        self._fault = self.world.faults.strike("job", *self.subjects())
        kind = self._fault.kind if self._fault else ""
        if kind in {"capacity", "internal"}:
            raise JobFailed(CAPACITY if kind == "capacity" else INTERNAL)
        self.started()
        self._arm()
        if self._fault and kind in {"hang", "slow"}:
            self.park(self._fault.seconds if kind == "slow" else None, self._work)
        self._work()

    def subjects(self) -> list[str]:
        """What rules of faults match: the job, and of a pipeline's job the step that its name holds."""
        found = _PIPELINE_NAME.fullmatch(self.name)
        return [f"{self.kind}/{self.name}", *([f"step/{found[1]}"] if found else [])]

    def _arm(self) -> None:
        """Time limits, by the clock."""
        now = self.world.now()
        for when, reason in self.limits():
            self._timers.append(self.world.clock.call_in(max(0.0, when - now), self._limit(reason), reason))

    def _limit(self, reason: str) -> Callable[[], None]:
        def reached() -> None:
            with self.world.lock:
                if self.name in self.table:
                    self.stop(reason)

        return reached

    def park(self, seconds: float | None, work: Callable[[], None]) -> NoReturn:
        """Leave the worker; go on with `work` after so many seconds of the clock, or never (None).

        Raises Parked, or JobStopped when the job stops already.
        """
        with self._lock:
            if self.stopping:
                raise JobStopped
            self._parked = True
        if seconds == 0:
            self._unpark(work)
        elif seconds is not None:
            self._timers.append(self.world.clock.call_in(seconds, lambda: self._unpark(work), "held up"))
        raise Parked

    def _unpark(self, work: Callable[[], None]) -> None:
        with self._lock:
            parked, self._parked = self._parked, False
        if parked:
            self.world.workers.submit(lambda: self._guard(work), f"{self.kind} {self.name}")

    def _stopped(self) -> None:
        raise JobStopped

    def _work(self) -> None:
        """From an empty folder to the end."""
        self._clean()
        count = self.instances()
        names = [f"algo-{number + 1}" for number in range(count)]
        hosts = [Host(name, self.folder / name / "ml", self.folder / name / "log") for name in names]
        for host in hosts:
            host.root.mkdir(parents=True)
        self.check()
        self.prepare(hosts)
        self.check()
        try:
            for host in hosts:
                self._launch(host)
            code = self.running(hosts)
        finally:
            self._settle()
        if self.world.closing.is_set():
            raise Abandoned
        pause = self.again()
        if pause is not None and not self.stopping:
            self.park(pause, self._work)
        if code == LOST:
            raise JobFailed(INTERNAL)
        self.finish(hosts, code)
        self.check()
        self._end("Completed", "")

    def _launch(self, host: Host) -> None:
        stream = f"{self.name}/{host.name}-{int(self.world.now())}"
        process = self.launch(host)
        self._shippers.append(ship(self.world, self.scope, self.group, stream, host.log, lines=self.lines(host)))
        with self._lock:
            self._processes.append(process)
            stopping = self.stopping
        if stopping:
            threading.Thread(target=terminate, args=([process],), name="mock-stop", daemon=True).start()
        if self._fault and self._fault.kind == "die":
            process.kill()

    def wait(self) -> int:
        """Until every container has ended, or one has failed: then the others are killed. The exit code, as a shell
        would tell it."""
        return wait_for(list(self._processes), lambda: bool(self.stopping))

    def over(self) -> bool:
        """Whether the container of every host has ended."""
        with self._lock:
            processes = list(self._processes)
        return all(process.wait(0) is not None for process in processes)

    def interrupt(self) -> None:
        """SIGTERM to every container, and SIGKILL to one that does not mind; returns when all have ended."""
        terminate(list(self._processes))

    def _settle(self) -> None:
        """Nothing of the containers is left, and all that they said is in the logs."""
        with self._lock:
            processes, self._processes = self._processes, []
        for process in processes:
            process.close()
        shippers, self._shippers = self._shippers, []
        for shipper in shippers:
            if not self.world.closing.is_set():
                shipper.stop()

    def _end(self, status: str, reason: str) -> None:
        if self.world.closing.is_set():  # then whatever failed may have failed for that
            self._clean()
            return
        for timer in self._timers:
            timer.cancel()
        try:
            self.ended(status, reason[:REASON_LENGTH])
        finally:
            with self.world.lock:  # a job of the same name may have been made since the end was noted
                if runs(self.world).get(self._key) is self:
                    del runs(self.world)[self._key]
            self._clean()

    def _clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _key(self) -> Key:
        return (self.kind, self.scope, self.name)


Key = tuple[str, Scope, str]


def runs(world: World) -> dict[Key, Run]:
    """The jobs that run or wait."""
    found: dict[Key, Run] = world.rooms.setdefault("jobs", {})
    return found


def begin(run: Run) -> None:
    """Start a job that its document tells of. Needs the world's lock."""
    runs(run.world)[(run.kind, run.scope, run.name)] = run
    run.begin()
