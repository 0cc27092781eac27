"""Moves executions on: one thread for all of them, woken by ends of jobs, by timers and by requests."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.clock import Timer, Work
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.pipelines import attempts, lambdas, records
from cloudml_sagemaker.mock.pipelines.decide import ENDED, decide
from cloudml_sagemaker.mock.pipelines.kinds import KINDS
from cloudml_sagemaker.mock.pipelines.kinds.base import Progress, StepFailed
from cloudml_sagemaker.mock.pipelines.kinds.calls import listed_outputs, typed_outputs
from cloudml_sagemaker.mock.pipelines.room import Room, Run

log = logging.getLogger(__name__)

EXECUTION_LIMIT = 28 * 24 * 3600
"""Seconds that an execution may take: 672 hours (developer guide, quotas of pipelines)."""

CALLBACK_LIMIT = 7 * 24 * 3600
"""Seconds that a Callback step waits for its answer, by the switch "callback-timeout"."""

FAILED = "Step failure: One or multiple steps failed."
"""FailureReason of a failed execution: only the step says more."""

Task = Callable[[], None]


class Driver:
    """Its thread does everything that starts or ends steps, so that no two of them meet in one execution."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._world = room.world
        self._queue: queue.SimpleQueue[tuple[Task | None, Work | None]] = queue.SimpleQueue()
        self._pending: set[tuple[Scope, str]] = set()
        self._pending_lock = threading.Lock()
        self._limits: dict[str, Timer] = {}
        room.driver = self
        self._world.at_close.append(self._end)
        threading.Thread(target=self._run, name="mock-pipelines", daemon=True).start()

    def submit(self, task: Task) -> None:
        """Do it on the driver's thread, soon. A held clock waits for it."""
        self._queue.put((task, self._world.clock.begin()))

    def poke(self, scope: Scope, arn: str) -> None:
        """Something about the execution has changed: see what comes next."""
        with self._pending_lock:
            if (scope, arn) in self._pending:
                return
            self._pending.add((scope, arn))
        self.submit(partial(self._poked, scope, arn))

    def started(self, scope: Scope, arn: str) -> None:
        """A new, retried or resumed execution: begin to drive it, and to watch its time. Needs the lock."""
        begun = self._world.table(records.EXECUTIONS, scope)[arn]["_begun"]
        when = datetime.fromtimestamp(begun + EXECUTION_LIMIT, UTC)
        name = f"time limit of {arn}"
        self._limits[arn] = self._world.clock.call_at(
            when, partial(self.submit, partial(self._expired, scope, arn)), name
        )
        self.poke(scope, arn)

    def stop(self, run: Run) -> None:
        """Stop an execution that is Executing: no more steps start, running ones are stopped. Needs the lock."""
        records.set_execution(run.world, run.scope, run.arn, "Stopping")
        for record in list(run.steps.values()):
            if record["StepStatus"] not in ENDED:
                attempts.stop(run, record)
        self.poke(run.scope, run.arn)

    def changed(self, change: Change) -> None:
        """A job, an endpoint or a model package has changed: subscriber of the bus."""
        name = change.document.get("ModelPackageArn", change.name) if change.kind == "ModelPackage" else change.name
        with self._world.lock:
            found = self._room.waiting.get((change.kind, change.scope, name))
        if found is not None:
            self.submit(partial(self._ended, change, *found))

    def retry_at(self, scope: Scope, arn: str, record: Document) -> None:
        """Make a step's next attempt at its `_retry_at`."""
        due = partial(self._within, scope, arn, record["StepName"], record["_try"], _retry)
        self._at(record["_retry_at"], due, f"retry of {record['StepName']} in {arn}")

    def expect_callback(self, scope: Scope, arn: str, record: Document) -> None:
        """Let a Callback step fail when nobody answers in time."""
        if self._world.switches["callback-timeout"] == "7-days":
            due = partial(self._within, scope, arn, record["StepName"], record["_try"], _unanswered)
            self._at(record["StartTime"] + CALLBACK_LIMIT, due, f"callback {record['StepName']} in {arn}")

    def invoke(self, scope: Scope, arn: str, record: Document, function: str, event: Any) -> None:
        """Run a Lambda function on a thread of its own; its end comes back to the step."""
        step, attempt = record["StepName"], record["_try"]
        call = lambdas.Invocation(self._world, scope, function, event)
        limit = partial(self._within, scope, arn, step, attempt, _lambda_expired)

        def expire() -> None:
            call.cancel()
            limit()

        timer = self._world.clock.call_in(lambdas.LIMIT, partial(self.submit, expire), f"lambda {function}")
        work = self._world.clock.begin()

        def run() -> None:
            try:
                progress = partial(_lambda_ended, outcome=call.run())
                timer.cancel()
                self.submit(partial(self._within, scope, arn, step, attempt, progress))
            finally:
                work.end()

        threading.Thread(target=run, name=f"mock-lambda-{step}", daemon=True).start()

    def limit_lambda(self, scope: Scope, arn: str, record: Document) -> None:
        """Let a step fail whose function is not given in time."""
        due = partial(self._within, scope, arn, record["StepName"], record["_try"], _never_given)
        self._at(self._world.now() + lambdas.LIMIT, due, f"lambda of {record['StepName']} in {arn}")

    def functions_given(self) -> None:
        """Steps that wait for a Python handler may have it now."""
        self.submit(self._call_waiting)

    def resume(self) -> None:
        """Go on with what the store holds unfinished."""
        for table in self._world.store.tables(records.EXECUTIONS):
            for arn, execution in table.items():
                if execution["PipelineExecutionStatus"] in records.LIVE:
                    self.submit(partial(self._resumed, table.scope, arn))

    def _end(self) -> None:
        self._queue.put((None, None))

    def _run(self) -> None:
        while True:
            task, work = self._queue.get()
            if task is None:
                return
            try:
                if not self._world.closing.is_set():
                    task()
            except Exception:
                log.exception("a pipeline's driver failed")
            finally:
                if work is not None:
                    work.end()

    def _at(self, when: float, task: Task, name: str) -> None:
        self._world.clock.call_at(datetime.fromtimestamp(when, UTC), partial(self.submit, task), name)

    def _poked(self, scope: Scope, arn: str) -> None:
        with self._pending_lock:
            self._pending.discard((scope, arn))
        while self._advance(scope, arn):
            pass

    def _advance(self, scope: Scope, arn: str) -> bool:
        """One decision and what follows from it; whether there may be more to do at once."""
        with self._world.lock:
            run = self._room.run(scope, arn)
            if run is None or run.record["PipelineExecutionStatus"] not in records.LIVE:
                return False
            decision = decide(run.view())
            for name, status in decision.loops:
                attempts.finish_loop(run, name, status)
            if decision.end is not None:
                self._finish(run, decision.end)
                return False
        for name in decision.start:
            # Between two steps the lock is free: requests do not wait for a wide pipeline to start.
            with self._world.lock:
                run = self._room.run(scope, arn)
                if run is None or run.record["PipelineExecutionStatus"] != "Executing":
                    break
                if name not in run.steps:
                    attempts.begin(run, name)
                if run.steps[name]["StepStatus"] == "Failed":
                    break
        return bool(decision.loops or decision.start)

    def _finish(self, run: Run, status: str) -> None:
        reason = ""
        if run.record.get("_expired"):
            status, reason = "Failed", f"The execution took longer than {EXECUTION_LIMIT // 3600} hours."
        elif any(record.get("_timeout") for record in run.steps.values()):
            status, reason = "Failed", FAILED
        elif status == "Failed":
            reason = FAILED
        timer = self._limits.pop(run.arn, None)
        if timer is not None:
            timer.cancel()
        more = {"FailureReason": reason} if reason else {}
        records.set_execution(run.world, run.scope, run.arn, status, **more)

    def _ended(self, change: Change, arn: str, step: str) -> None:
        with self._world.lock:
            run = self._room.run(change.scope, arn)
            record = run.steps.get(step) if run is not None else None
            if run is None or record is None or record["StepStatus"] in ENDED or "_job" not in record:
                return
            kind, told = KINDS[record["_type"]], (change.document, change.after)
            progress = attempts.outcome(record, lambda: kind.ended(run, record, *told))
            if progress is None:
                return
            attempts.settle(run, record, progress)
        self.poke(change.scope, arn)

    def _within(
        self, scope: Scope, arn: str, step: str, attempt: str, action: Callable[[Run, Document], Progress | None]
    ) -> None:
        """Do something with a step, if that attempt of it is still under way."""
        with self._world.lock:
            run = self._room.run(scope, arn)
            record = run.steps.get(step) if run is not None else None
            if run is None or record is None or record["StepStatus"] in ENDED or record["_try"] != attempt:
                return
            progress = attempts.outcome(record, lambda: action(run, record))
            if progress is not None:
                attempts.settle(run, record, progress)
        self.poke(scope, arn)

    def _expired(self, scope: Scope, arn: str) -> None:
        with self._world.lock:
            run = self._room.run(scope, arn)
            if run is None or run.record["PipelineExecutionStatus"] not in records.LIVE:
                return
            run.record["_expired"] = True
            if run.record["PipelineExecutionStatus"] == "Executing":
                self.stop(run)

    def _call_waiting(self) -> None:
        with self._world.lock:
            for table in self._world.store.tables(records.STEPS):
                for record in table:
                    run = self._room.run(table.scope, record["_execution"]) if "_awaits" in record else None
                    if run is not None and record["StepStatus"] not in ENDED:
                        attempts.resume(run, record)

    def _resumed(self, scope: Scope, arn: str) -> None:
        with self._world.lock:
            run = self._room.run(scope, arn)
            if run is None:
                return
            for record in list(run.steps.values()):
                if record["StepStatus"] not in ENDED:
                    attempts.resume(run, record)
            if run.record["PipelineExecutionStatus"] == "Stopping":
                for record in list(run.steps.values()):
                    if record["StepStatus"] not in ENDED:
                        attempts.stop(run, record)
            self.started(scope, arn)


def _retry(run: Run, record: Document) -> None:
    if "_retry_at" in record:
        attempts.again(run, record)


def _unanswered(run: Run, record: Document) -> Progress:
    return Progress("Failed", "ClientError: the callback token was not answered in time")


def _never_given(run: Run, record: Document) -> Progress | None:
    return _lambda_expired(run, record) if "_awaits" in record else None


def _lambda_expired(run: Run, record: Document) -> Progress:
    reason = f"ClientError: the Lambda function did not finish within {lambdas.LIMIT // 60} minutes"
    return Progress("Failed", reason, updates={"_timeout": run.record["PipelineExecutionStatus"] == "Stopping"})


def _lambda_ended(run: Run, record: Document, outcome: Any) -> Progress:
    if isinstance(outcome, lambdas.LambdaError):
        return Progress("Failed", outcome.reason)
    if run.step(record["StepName"]).outputs and not isinstance(outcome, dict):
        return Progress("Failed", "ClientError: the Lambda function did not return a dictionary")
    return outputs_given(run, record, outcome if isinstance(outcome, dict) else {})


def outputs_given(run: Run, record: Document, given: Document) -> Progress:
    """A Lambda or Callback step has succeeded with these outputs, or they are not what the definition declares."""
    try:
        outputs = typed_outputs(run.step(record["StepName"]), given)
    except StepFailed as failure:
        return Progress("Failed", failure.reason)
    record["Metadata"].setdefault(record["_type"], {})["OutputParameters"] = listed_outputs(outputs)
    return Progress("Succeeded", updates={"_outputs": outputs})
