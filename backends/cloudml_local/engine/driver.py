"""The loop that drives one run: dispatch what is ready, wait for what ends, write each transition down."""

from __future__ import annotations

import heapq
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import RunOptions
from cloudml.backend.records import DONE, Event, Listener
from cloudml.errors import CloudmlError
from cloudml_local.engine.attempts import Outcome, Work, conclude, failure, prepare
from cloudml_local.engine.graph import Graph, Instance
from cloudml_local.engine.values import Resolver
from cloudml_local.engine.workers import Job, Workers
from cloudml_local.registry import Registry
from cloudml_local.state.inventory import Inventory
from cloudml_local.state.journal import Journal, RunRow
from cloudml_local.state.store import Store

if TYPE_CHECKING:
    from cloudml_local.endpoint.manager import EndpointManager

_DECIDED_ANEW = ("map", "condition", "deploy")
"""Kinds whose end says nothing by itself: a map's items must be found again, an endpoint may have been stopped."""

GRACE = 8.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass
class Running:
    """A process of this run: who asked for it, where it works, when it must end."""

    instance: Instance
    folder: Path
    cpu: float
    ports: list[dict[str, Any]]
    done: Callable[[Outcome], None]
    killed: dict[str, Any] | None = None
    progress: bytes = b""


@dataclass(frozen=True)
class Queued:
    """A process that waits for free cores."""

    instance: Instance
    cpu: float
    launch: Callable[[], None]
    done: Callable[[Outcome], None]


class Driver:
    """Runs one pipeline document."""

    def __init__(
        self,
        run: RunRow,
        state: Path,
        journal: Journal,
        store: Store,
        registry: Registry,
        options: RunOptions,
        listener: Listener | None,
    ) -> None:
        self.run = run
        self.document = run.document
        self.state = state
        self.journal = journal
        self.store = store
        self.registry = registry
        self.options = options
        self.graph = Graph(run.document["tasks"])
        self.inventory = Inventory(journal.database)
        self.resolver = Resolver(self.graph, run.id, run.scheduled_at, run.parameters, registry, store.path)
        self.cores = float(options.parallel or os.cpu_count() or 1)
        if run.document.get("max_parallel"):
            self.cores = min(self.cores, float(run.document["max_parallel"]))
        self.failed: list[str] = []
        self.stopping: str | None = None
        self.failing: str | None = None
        self.waiting: dict[str, Instance] = {}
        self._free = self.cores
        self._listener = listener
        self._workers = Workers(state / "workers.log")
        self._running: dict[int, Running] = {}
        self._ready: list[tuple[int, tuple[int, ...], Instance]] = []
        self._queue: list[tuple[int, int, Queued]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._begun: dict[str, float] = {}
        self._recalled: dict[str, dict[str, Any]] = {}
        self._endpoints: EndpointManager | None = None
        self._retries = 0
        self._finals_started = False

    def recall(self, tasks: dict[str, dict[str, Any]]) -> None:
        """What an earlier driver of this run ended well, and whose outputs still exist, is not run again."""
        self._recalled = {
            name: task
            for name, task in tasks.items()
            if task["status"] in DONE and all(self.store.has(output["digest"]) for output in task["outputs"].values())
        }

    def _take_recalled(self, instance: Instance) -> bool:
        task = self._recalled.get(instance.id)
        if task is None or instance.kind in _DECIDED_ANEW:
            return False
        instance.outputs, instance.values = task["outputs"], task["vals"]
        self.tell(instance, task["status"], "ended before", duration=task["duration"] or 0.0)
        self.settle(instance, task["status"])
        return True

    @property
    def endpoints(self) -> EndpointManager:
        """The endpoints of this state directory."""
        if self._endpoints is None:
            from cloudml_local.endpoint.manager import EndpointManager

            self._endpoints = EndpointManager(self.state)
        return self._endpoints

    # -- what happened ------------------------------------------------------------------------------------------

    def tell(self, instance: Instance | None, status: str, detail: str = "", **more: Any) -> None:
        """Tell the listener, if there is one."""
        if self._listener is not None:
            name, kind = (None, "") if instance is None else (instance.id, instance.kind)
            self._listener(Event(self.run.id, name, status, detail, kind=kind, **more))

    def begin(self, instance: Instance, attempts: int = 1) -> None:
        """A task starts to run."""
        instance.status = "running"
        self._begun.setdefault(instance.id, time.monotonic())
        self.journal.begin_task(self.run.id, instance.id, instance.kind, attempts)
        self.tell(instance, "running", f"attempt {attempts}" if attempts > 1 else "")

    def end(self, instance: Instance, status: str, reason: str = "", **fields: Any) -> None:
        """A task ends: written down first, then what waited for it is looked at."""
        started = self._begun.get(instance.id)
        duration = time.monotonic() - started if started is not None else 0.0
        outputs, values = fields.get("outputs"), fields.get("values")
        instance.outputs = outputs or {}
        instance.values = values or {}
        self.journal.end_task(
            self.run.id, instance.id, instance.kind, status, duration=duration, reason=reason, **fields
        )
        if status == "failed":
            self.failed.append(instance.id)
        self.tell(instance, status, reason, duration=duration)
        self.settle(instance, status, reason)

    def settle(self, instance: Instance, status: str, reason: str = "") -> None:
        """Queue what became ready; a map whose items all ended ends with them."""
        self.ready(self.graph.end(instance, status, reason))
        owner = instance.owner
        while owner is not None and not owner.ended:
            expansion = self.graph.expansions[owner.id]
            if not expansion.finished:
                break
            self._end_map(owner)
            break

    def _end_map(self, owner: Instance) -> None:
        expansion = self.graph.expansions[owner.id]
        if expansion.failed:
            names = ", ".join(expansion.failed[:3]) + (" …" if len(expansion.failed) > 3 else "")
            self.end(owner, "failed", f"{len(expansion.failed)} of its tasks failed: {names}")
        else:
            self.end(owner, "succeeded", f"{len(expansion.items)} items")

    def ready(self, instances: list[Instance]) -> None:
        """Queue instances that wait for nothing more; finally blocks are held back until all else ended."""
        for instance in instances:
            if self._finals_started or not instance.template["final"]:
                heapq.heappush(self._ready, (instance.order, instance.indices, instance))

    def fail_run(self, reason: str) -> None:
        """A fail step: nothing new starts but the finally blocks; what runs is stopped."""
        self.failing = self.failing or reason
        self._terminate("the run failed")
        for instance in list(self.waiting.values()):
            del self.waiting[instance.id]
            self.end(instance, "stopped", f"the run failed: {reason}")

    # -- processes ----------------------------------------------------------------------------------------------

    def submit(
        self,
        instance: Instance,
        work: Work,
        folder: Path,
        log: Path,
        attempt: int,
        done: Callable[[Outcome], None],
        *,
        cpu: float = 1.0,
        timeout: float | None = None,
        modules: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        started: Callable[[], None] | None = None,
    ) -> None:
        """Run work in a process as soon as its cores are free; `done` is called with the outcome."""
        cores = min(max(cpu, 0.01), self.cores)
        threads = max(1, int(min(cpu, os.cpu_count() or 1)))

        def launch() -> None:
            if started is not None:
                started()
            root = self.document["root"]
            envelope = prepare(folder, self.run.id, attempt, work, [root], threads)
            log.parent.mkdir(parents=True, exist_ok=True)
            variables = {"POLARS_MAX_THREADS": str(threads), **(environment or {})}
            if "POLARS_MAX_THREADS" in os.environ:
                variables.pop("POLARS_MAX_THREADS", None)
            variables.update({"CLOUDML_RUN": self.run.id, "CLOUDML_STEP": work.step})
            module = work.function.partition(":")[0]
            number = self._workers.start(Job(envelope, log, root, (root,), (module, *modules), variables))
            self._running[number] = Running(instance, folder, cores, work.outputs, done)
            if timeout is not None:
                self.after(timeout, lambda: self._expire(number, timeout))

        self._count += 1
        heapq.heappush(self._queue, (instance.order, self._count, Queued(instance, cores, launch, done)))

    def _expire(self, number: int, timeout: float) -> None:
        message = f"still running after its timeout of {timeout:g} s. Give it more with timeout=, or find out where it hangs."
        self._kill(number, failure("timeout", "Timeout", message))

    def _kill(self, number: int, why: dict[str, Any]) -> None:
        running = self._running.get(number)
        if running is None or running.killed is not None:
            return
        running.killed = why
        self._workers.signal(number, signal.SIGTERM)
        self.after(GRACE, lambda: self._workers.signal(number, signal.SIGKILL))

    def _terminate(self, why: str) -> None:
        """End every process, running or queued; each is told to whoever asked for it."""
        stopped = failure("interrupted", "Stopped", why)
        queued, self._queue = self._queue, []
        for number in list(self._running):
            self._kill(number, stopped)
        for _, _, waiting in queued:
            waiting.done(Outcome("failed", failure=stopped))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Call `action` once, `delay` seconds from now."""
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + delay, self._count, action))

    # -- the loop -----------------------------------------------------------------------------------------------

    def drive(self) -> str:
        """Run until nothing is left to do; the run's status."""
        restore, wake = _catch_signals(self._interrupt)
        started = time.monotonic()
        status, reason = "interrupted", "its driver ended"
        try:
            self.tell(None, "running")
            self._watch()
            self.ready(self.graph.start())
            if self.document.get("timeout"):
                limit = self.document["timeout"] - self.run.duration
                self.after(max(limit, 0.0), lambda: self.fail_run(f"the run's timeout of {self.document['timeout']:g} s passed"))
            self._loop(wake)
            status, reason = self._status()
        except CloudmlError as error:
            status, reason = "failed", error.message
            raise
        finally:
            self._workers.close()
            restore()
            if status in ("interrupted", "stopped", "failed"):
                self.journal.close_open_tasks(self.run.id, "stopped" if status != "interrupted" else "interrupted")
            self.journal.set_status(self.run.id, status, reason, time.monotonic() - started)
            self.tell(None, status, reason, duration=time.monotonic() - started)
        return status

    def _status(self) -> tuple[str, str]:
        if self.stopping is not None:
            return "stopped", self.stopping
        if self.failing is not None:
            return "failed", self.failing
        if self.waiting:
            return "waiting", f"waiting for approval of {', '.join(sorted(self.waiting))}"
        if self.failed:
            first = self.graph.instances[self.failed[0]]
            return "failed", f"{first.id}: {first.reason}"
        return "succeeded", ""

    def _interrupt(self) -> None:
        if self.stopping is None:
            self.stopping = "stopped on request"
            self.tell(None, "stopping")
            self._terminate("the run was stopped")
        else:
            for number in list(self._running):
                self._workers.signal(number, signal.SIGKILL)

    def _loop(self, wake: int) -> None:
        from cloudml_local.engine.kinds import dispatch

        selector = selectors.DefaultSelector()
        selector.register(wake, selectors.EVENT_READ)
        watched: Any = None
        try:
            while True:
                self._run_timers()
                while self._ready and self.stopping is None:
                    instance = heapq.heappop(self._ready)[2]
                    if instance.status != "pending" or self._take_recalled(instance):
                        continue
                    if self._may_start(instance):
                        dispatch(self, instance)
                self._launch()
                if self._idle():
                    if not self._start_finals():
                        return
                    continue
                if self._workers.channel is not watched:
                    if watched is not None:
                        selector.unregister(watched)
                    watched = self._workers.channel
                    if watched is not None:
                        selector.register(watched, selectors.EVENT_READ)
                timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
                for key, _ in selector.select(timeout):
                    if key.fileobj == wake:
                        self._interrupt_signals(wake)
                    else:
                        self._collect()
        finally:
            selector.close()

    def _interrupt_signals(self, wake: int) -> None:
        try:
            for _ in os.read(wake, 64):
                self._interrupt()
        except BlockingIOError:
            pass

    def _may_start(self, instance: Instance) -> bool:
        if self.failing is not None and not instance.template["final"]:
            self.end(instance, "skipped", f"the run failed: {self.failing}")
            return False
        verdict = self.graph.verdict(instance)
        if verdict is not None:
            self.end(instance, "skipped", verdict)
        return verdict is None

    def _launch(self) -> None:
        while self._queue and self.stopping is None:
            first = self._queue[0][2]
            if self._running and first.cpu > self._free + 1e-9:
                return
            heapq.heappop(self._queue)
            self._free -= first.cpu
            first.launch()

    def _collect(self) -> None:
        for ended in list(self._workers.exits()):
            running = self._running.pop(ended.id, None)
            if running is None:
                continue
            self._free += running.cpu
            running.done(conclude(running.folder, ended, self.store, running.ports, running.killed))

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _idle(self) -> bool:
        """Nothing runs, nothing can start, and no approval is worth staying for."""
        if self._running:
            return False
        if self.stopping is not None:
            return True
        if self._queue or self._ready or self._retries:
            return False
        return not (self.waiting and self.options.wait)

    def _start_finals(self) -> bool:
        """Begin the finally blocks once everything else has ended."""
        if self._finals_started or self.stopping is not None or self.graph.open(final=False):
            return False
        self._finals_started = True
        finals = [one for one in self.graph.instances.values() if one.template["final"] and one.unmet == 0]
        self.ready([one for one in finals if one.status == "pending"])
        return bool(self._ready)

    def retry_later(self, delay: float, action: Callable[[], None]) -> None:
        """Like `after`, but the run stays alive for it."""
        self._retries += 1

        def fire() -> None:
            self._retries -= 1
            action()

        self.after(delay, fire)

    def ending(self, instance: Instance) -> str | None:
        """Why no further attempt of this task may begin: the run stops, or has failed."""
        if self.stopping is not None:
            return self.stopping
        if self.failing is not None and not instance.template["final"]:
            return f"the run failed: {self.failing}"
        return None

    def _watch(self) -> None:
        """Look at the progress that steps report, while someone is looking at us."""
        if self._listener is None:
            return
        for running in self._running.values():
            try:
                seen = (running.folder / "progress.json").read_bytes()
            except OSError:
                continue
            if seen != running.progress:
                running.progress = seen
                self._tell_progress(running.instance, seen)
        self.after(0.5, self._watch)

    def _tell_progress(self, instance: Instance, seen: bytes) -> None:
        import json

        try:
            told = json.loads(seen)
        except ValueError:
            return
        if "tuning" not in instance.reads:
            self.tell(instance, "running", str(told.get("text", "")), progress=(int(told["done"]), int(told["total"])))


def _catch_signals(action: Callable[[], None]) -> tuple[Callable[[], None], int]:
    """Turn SIGINT and SIGTERM into bytes on a pipe; how to undo it, and the pipe's reading end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    if threading.current_thread() is not threading.main_thread():
        return lambda: (os.close(reading), os.close(writing), None)[2], reading

    def note(number: int, frame: Any) -> None:
        os.write(writing, b"!")

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)

    return restore, reading
