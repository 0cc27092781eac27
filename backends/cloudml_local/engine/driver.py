"""The loop that drives one run: dispatch what is ready, wait for what ends, write each transition down."""

from __future__ import annotations

import heapq
import json
import os
import selectors
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import RunOptions
from cloudml.backend.records import DONE, Event, Listener
from cloudml.errors import CloudmlError
from cloudml_local.engine.graph import Graph, Instance
from cloudml_local.engine.pool import Place, Pool
from cloudml_local.engine.signals import Signals
from cloudml_local.engine.timers import Timers
from cloudml_local.engine.values import Resolver
from cloudml_local.engine.workers import Workers
from cloudml_local.registry import Registry
from cloudml_local.state.bundles import Bundles, bundle_files
from cloudml_local.state.inventory import Inventory
from cloudml_local.state.journal import Journal, RunRow
from cloudml_local.state.store import Store
from cloudml_local.state.sweeper import Sweeper

if TYPE_CHECKING:
    from cloudml_local.endpoint.manager import EndpointManager

_DECIDED_ANEW = ("map", "deploy")
"""Kinds whose end says nothing by itself: a map's items must be found again, an endpoint may have been stopped.

Nor does that of a finally block: what is resumed ends once more.
"""

PROGRESS = 0.5
"""Seconds between two looks at what running steps report."""


class Driver:
    """Runs one pipeline document. `dispatch` starts a task; `workers` starts processes; a test may pass others."""

    def __init__(
        self,
        run: RunRow,
        state: Path,
        journal: Journal,
        store: Store,
        registry: Registry,
        options: RunOptions,
        dispatch: Callable[[Driver, Instance], None],
        listener: Listener | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.run = run
        self.document = run.document
        self.state = state
        self.journal = journal
        self.store = store
        self.registry = registry
        self.options = options
        self.inventory = Inventory(journal.database)
        self.graph = Graph(run.document["tasks"])
        self.resolver = Resolver(self.graph, run.id, run.scheduled_at, run.parameters, registry, store.path)
        self.timers = Timers()
        self.sweeper = Sweeper()
        self.failed: list[str] = []
        self.stopping: str | None = None
        self.failing: str | None = None
        self.waiting: dict[str, Instance] = {}
        self._dispatch = dispatch
        self._listener = listener
        cores = float(options.parallel or os.cpu_count() or 1)
        if run.document.get("max_parallel"):
            cores = min(cores, float(run.document["max_parallel"]))
        workers = workers or Workers(state / "workers.log")
        source = Path(run.document["source"])
        self.bundle = Bundles(state / "bundles").materialize(source, bundle_files(run.document))
        place = Place(Path(run.document["root"]), source, self.bundle)
        self.pool = Pool(workers, store, self.timers, cores, run.id, place)
        self._ready: list[tuple[int, tuple[int, ...], Instance]] = []
        self._begun: dict[str, float] = {}
        self._recalled: dict[str, dict[str, Any]] = {}
        self._endpoints: EndpointManager | None = None
        self._retries: dict[int, Callable[[], None]] = {}
        self._retry = 0
        self._finals_started = False

    @property
    def endpoints(self) -> EndpointManager:
        """The endpoints of this state directory."""
        if self._endpoints is None:
            from cloudml_local.endpoint.manager import EndpointManager

            self._endpoints = EndpointManager(self.state)
        return self._endpoints

    def recall(self, tasks: dict[str, dict[str, Any]]) -> None:
        """What an earlier driver of this run ended well, and whose outputs still exist, is not run again."""
        self._recalled = {
            name: task
            for name, task in tasks.items()
            if task["status"] in DONE and all(self.store.has(output["digest"]) for output in task["outputs"].values())
        }

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
        instance.outputs = fields.get("outputs") or {}
        instance.values = fields.get("values") or {}
        self.journal.end_task(
            self.run.id, instance.id, instance.kind, status, duration=duration, reason=reason, **fields
        )
        if status == "failed":
            self.failed.append(instance.id)
        self.tell(instance, status, reason, duration=duration)
        self._settle(instance, status, reason)

    def _settle(self, instance: Instance, status: str, reason: str = "") -> None:
        """Queue what became ready; a map whose items all ended ends with them."""
        self.ready(self.graph.end(instance, status, reason))
        owner = instance.owner
        if owner is not None and not owner.ended and self.graph.expansions[owner.id].finished:
            self._end_map(owner)

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
        """The run fails now: nothing new starts but the finally blocks; what runs is stopped."""
        self.failing = self.failing or reason
        self.pool.stop("the run failed")
        for number in list(self._retries):
            self._retries.pop(number)()
        for instance in list(self.waiting.values()):
            del self.waiting[instance.id]
            self.end(instance, "stopped", f"the run failed: {reason}")

    def retry_later(self, delay: float, action: Callable[[], None]) -> None:
        """Call `action` after a delay that the run stays alive for; at once when the run fails meanwhile."""
        self._retry += 1
        number = self._retry
        self._retries[number] = action

        def fire() -> None:
            waiting = self._retries.pop(number, None)
            if waiting is not None:
                waiting()

        self.timers.after(delay, fire)

    def ending(self, instance: Instance) -> str | None:
        """Why no further attempt of this task may begin: the run stops, or has failed."""
        if self.stopping is not None:
            return self.stopping
        if self.failing is not None and not instance.template["final"]:
            return f"the run failed: {self.failing}"
        return None

    # -- the loop -----------------------------------------------------------------------------------------------

    def drive(self) -> str:
        """Run until nothing is left to do; the run's status."""
        signals = Signals()
        started = time.monotonic()
        status, reason = "interrupted", "its driver ended"
        try:
            self.tell(None, "running")
            self._watch()
            self.ready(self.graph.start())
            self._limit(self.document.get("timeout"))
            self._loop(signals)
            status, reason = self._status()
        except CloudmlError as error:
            status, reason = "failed", error.message
            raise
        finally:
            self.pool.close()
            self.sweeper.close()
            signals.close()
            if status in ("interrupted", "stopped", "failed"):
                self.journal.close_open_tasks(self.run.id, "interrupted" if status == "interrupted" else "stopped")
            self.journal.set_status(self.run.id, status, reason, time.monotonic() - started)
            self.tell(None, status, reason, duration=time.monotonic() - started)
        return status

    def _limit(self, timeout: float | None) -> None:
        """The run's own time limit counts the time it was driven, in all."""
        if timeout is not None:
            left = max(0.0, timeout - self.run.duration)
            self.timers.after(left, lambda: self.fail_run(f"the run's timeout of {timeout:g} s passed"))

    def _status(self) -> tuple[str, str]:
        if self.stopping is not None:
            return "stopped", self.stopping
        if self.failing is not None:
            return "failed", self.failing
        if self.failed:
            first = self.graph.instances[self.failed[0]]
            return "failed", f"{first.id}: {first.reason}"
        if self.waiting:
            return "waiting", f"waiting for approval of {', '.join(sorted(self.waiting))}"
        return "succeeded", ""

    def _loop(self, signals: Signals) -> None:
        selector = selectors.DefaultSelector()
        selector.register(signals.fd, selectors.EVENT_READ)
        watched: Any = None
        try:
            while True:
                self._advance()
                if self._idle():
                    if not self._start_finals():
                        return
                    continue
                watched = _follow(selector, watched, self.pool.channel)
                for key, _ in selector.select(self.timers.until_next()):
                    if key.fileobj == signals.fd:
                        for _ in range(signals.read()):
                            self._interrupt()
                    else:
                        self.pool.collect()
        finally:
            selector.close()

    def _advance(self) -> None:
        """Everything that can be done without waiting."""
        self.timers.run_due()
        while self._ready and self.stopping is None:
            instance = heapq.heappop(self._ready)[2]
            if instance.status == "pending" and not self._take_recalled(instance) and self._may_start(instance):
                self._dispatch(self, instance)
        if self.stopping is None:
            self.pool.launch()

    def _take_recalled(self, instance: Instance) -> bool:
        task = self._recalled.get(instance.id)
        if task is None or instance.kind in _DECIDED_ANEW or instance.template["final"]:
            return False
        instance.outputs, instance.values = task["outputs"], task["vals"]
        self.tell(instance, task["status"], "ended before", duration=task["duration"] or 0.0)
        self._settle(instance, task["status"])
        return True

    def _may_start(self, instance: Instance) -> bool:
        if self.failing is not None and not instance.template["final"]:
            self.end(instance, "skipped", f"the run failed: {self.failing}")
            return False
        verdict = self.graph.verdict(instance)
        if verdict is not None:
            self.end(instance, "skipped", verdict)
        return verdict is None

    def _interrupt(self) -> None:
        """The first signal asks every step to end, the second does not ask."""
        if self.stopping is None:
            self.stopping = "stopped on request"
            self.tell(None, "stopping")
            self.pool.stop("the run was stopped")
        else:
            self.pool.kill()

    def _idle(self) -> bool:
        """Nothing runs, nothing can start, and no approval is worth staying for."""
        if self.pool.busy:
            return False
        if self.stopping is not None:
            return True
        if self.pool.queued or self._ready or self._retries:
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

    def _watch(self) -> None:
        """Look at the progress that steps report, while someone is looking at us."""
        if self._listener is None:
            return
        for owner, seen in self.pool.news():
            instance = self.graph.instances[owner]
            if "tuning" in instance.reads:
                continue  # a study tells its own progress, by trials
            try:
                told = json.loads(seen)
                progress = (int(told["done"]), int(told["total"]))
                text = str(told.get("text", ""))
            except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
                continue  # a step may report nonsense
            self.tell(instance, "running", text, progress=progress)
        self.timers.after(PROGRESS, self._watch)


def _follow(selector: selectors.BaseSelector, watched: Any, channel: Any) -> Any:
    """Wait on the workers' present channel instead of an earlier one."""
    if channel is not watched:
        if watched is not None:
            selector.unregister(watched)
        if channel is not None:
            selector.register(channel, selectors.EVENT_READ)
    return channel
