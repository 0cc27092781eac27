"""Processes on a fixed number of cores: queue, start, time out, stop. It knows nothing of pipelines."""

from __future__ import annotations

import heapq
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloudml.errors import StateError
from cloudml_local.engine.attempts import Outcome, Work, conclude, failure, prepare
from cloudml_local.engine.timers import Timers
from cloudml_local.engine.workers import THREAD_VARIABLES, Job, Workers
from cloudml_local.state.store import Store

LOSSES = 2
"""How often a job is started again because the workers' parent died, which is not the job's fault."""

GRACE = 8.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Request:
    """Work that wants a process: where it works and logs, what it may use, who is told how it ended."""

    owner: str
    work: Work
    folder: Path
    log: Path
    attempt: int
    order: int
    done: Callable[[Outcome], None]
    started: Callable[[], None] = lambda: None
    cpu: float = 1.0
    timeout: float | None = None
    modules: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    losses: int = 0


@dataclass(frozen=True)
class Place:
    """The user's project, where steps are started; where its code is written, and the copy of it that they import."""

    project: Path
    source: Path
    code: Path

    def job(self, envelope: Path, request: Request, environment: dict[str, str]) -> Job:
        """The process for a request whose envelope is written."""
        function = request.work.function
        modules = (function.partition(":")[0], *request.modules)
        return Job(envelope, request.log, function, str(self.project), (str(self.code),), modules, environment)

    def told(self, failed: dict[str, Any]) -> dict[str, Any]:
        """A failure in the user's terms: lines of the project instead of lines of the copy."""
        copy, source = str(self.code), str(self.source)
        shown = {key: value.replace(copy, source) if isinstance(value, str) else value for key, value in failed.items()}
        name = failed.get("exception", "").rpartition(".")[2]
        if name in ("FileNotFoundError", "ModuleNotFoundError") and (copy in failed["message"] or name[0] == "M"):
            shown["message"] += ". A step sees the modules it imports and what its files= names, nothing else"
        return shown


@dataclass
class _Running:
    request: Request
    cores: float
    killed: dict[str, Any] | None = None
    progress: bytes = b""


class Pool:
    """Runs requests in the author's order as cores become free; a request for more cores than there are gets all."""

    def __init__(self, workers: Workers, store: Store, timers: Timers, cores: float, run: str, place: Place) -> None:
        self._workers = workers
        self._store = store
        self._timers = timers
        self._cores = cores
        self._free = cores
        self._run = run
        self._place = place
        self._queue: list[tuple[int, int, Request]] = []
        self._running: dict[int, _Running] = {}
        self._count = 0

    @property
    def channel(self) -> socket.socket | None:
        """What to wait on; another one after the workers' parent was started anew."""
        return self._workers.channel

    @property
    def busy(self) -> bool:
        return bool(self._running)

    @property
    def queued(self) -> bool:
        return bool(self._queue)

    def submit(self, request: Request) -> None:
        """Run a request as soon as its cores are free; its `done` is called with the outcome."""
        self._count += 1
        heapq.heappush(self._queue, (request.order, self._count, request))

    def launch(self) -> None:
        """Start what fits. The first in the queue is never overtaken, so that a large step is not starved."""
        while self._queue:
            cores = min(max(self._queue[0][2].cpu, 0.01), self._cores)
            if self._running and cores > self._free + 1e-9:
                return
            self._start(heapq.heappop(self._queue)[2], cores)

    def _start(self, request: Request, cores: float) -> None:
        request.started()
        threads = max(1, int(min(request.cpu, os.cpu_count() or 1)))
        pools = {name: str(threads) for name in (*THREAD_VARIABLES, "POLARS_MAX_THREADS") if name not in os.environ}
        resized = threads if threads > 1 and pools else None  # what is loaded has one thread, or what the user chose
        with _naming(request.work.step):
            envelope = prepare(
                request.folder, self._run, request.attempt, request.work, [str(self._place.code)], resized
            )
        environment = {**pools, "CLOUDML_RUN": self._run, "CLOUDML_STEP": request.work.step, **request.environment}
        number = self._workers.start(self._place.job(envelope, request, environment))
        self._running[number] = _Running(request, cores)
        self._free -= cores
        if request.timeout is not None:
            limit = request.timeout
            self._timers.after(limit, lambda: self._expire(number, limit))

    def _expire(self, number: int, timeout: float) -> None:
        words = f"still running after its timeout of {timeout:g} s. Give it more with timeout=, or find where it hangs."
        self._kill(number, failure("timeout", "Timeout", words))

    def _kill(self, number: int, why: dict[str, Any]) -> None:
        running = self._running.get(number)
        if running is None or running.killed is not None:
            return
        running.killed = why
        self._workers.signal(number, signal.SIGTERM)
        self._timers.after(GRACE, lambda: self._workers.signal(number, signal.SIGKILL))

    def stop(self, why: str) -> None:
        """End every process; what is queued is told that it was stopped, what runs when it is dead."""
        stopped = failure("interrupted", "Stopped", why)
        queued, self._queue = self._queue, []
        for number in list(self._running):
            self._kill(number, stopped)
        for _, _, request in queued:
            request.done(Outcome("failed", failure=stopped))

    def cancel(self, owner: str) -> None:
        """End the processes of an owner that has ended already and wants to hear no more of them."""
        stopped = failure("interrupted", "Stopped", f"{owner} ended")
        self._queue = [one for one in self._queue if one[2].owner != owner]
        heapq.heapify(self._queue)
        for number, running in list(self._running.items()):
            if running.request.owner == owner:
                self._kill(number, stopped)

    def kill(self) -> None:
        """End every process at once."""
        for number in list(self._running):
            self._workers.signal(number, signal.SIGKILL)

    def collect(self) -> None:
        """Take note of processes that ended."""
        for ended in list(self._workers.exits()):
            running = self._running.pop(ended.id, None)
            if running is None:
                continue
            self._free += running.cores
            request = running.request
            if ended.lost and running.killed is None and request.losses < LOSSES:
                self.submit(replace(request, losses=request.losses + 1))
                continue
            with _naming(request.work.step):
                outcome = conclude(request.folder, ended, self._store, request.work.outputs, running.killed)
            if outcome.failure is not None:
                outcome = replace(outcome, failure=self._place.told(outcome.failure))
            request.done(outcome)

    def news(self) -> Iterator[tuple[str, bytes]]:
        """Progress files that changed since the last look: the owner, and the file's content."""
        for running in self._running.values():
            try:
                seen = (running.request.folder / "progress.json").read_bytes()
            except OSError:
                continue
            if seen != running.progress:
                running.progress = seen
                yield running.request.owner, seen

    def close(self) -> None:
        self._workers.close()


@contextmanager
def _naming(step: str) -> Iterator[None]:
    """An error of the state, told with the step that met it."""
    try:
        yield
    except StateError as error:
        message = f"step {step!r}: {error.message}"
        raise StateError(message, where=error.where, hint=error.hint, code=error.code) from error
