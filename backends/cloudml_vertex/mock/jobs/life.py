"""The life of a custom job: its machines, containers and time limits, and spot machines that are taken away."""

from __future__ import annotations

import time
from typing import NoReturn

from cloudml.mocks.faults import Fault
from cloudml.mocks.processes import LOST
from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.container import ImageRefused
from cloudml_vertex.mock.core.times import duration, seconds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import words
from cloudml_vertex.mock.jobs.cluster import lay_out, output_variables
from cloudml_vertex.mock.jobs.crew import Crew
from cloudml_vertex.mock.jobs.packages import PackageRefused
from cloudml_vertex.mock.jobs.running import ENDED, JobFailed, JobRun, Parked

__all__ = ["ENDED", "KIND", "Run"]

KIND = "CustomJob"
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


class Run(JobRun):
    """One custom job on its way. It stops for "cancel", "timeout" or "wait"."""

    kind = KIND
    refusals = (ImageRefused, PackageRefused)

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        super().__init__(world, scope, name)
        self._crew: Crew | None = None
        self._preemption: Fault | None = None

    @property
    def scheduling(self) -> Document:
        """The request's scheduling."""
        found: Document = self.document["job_spec"].get("scheduling") or {}
        return found

    def interrupt(self) -> None:
        """End its containers."""
        if self._crew is not None:
            self._crew.stop_soon()

    def stop_result(self) -> tuple[str, Document]:
        """Time limits have states of their own, which are switches."""
        if self.stopping == "timeout":
            state, code = _TIMEOUT_STATES[self.world.switches["job-timeout"]]
            return state, words.error(code, words.TIMEOUT)
        if self.stopping == "wait":
            state = _WAIT_STATES[self.world.switches["flex-start-wait-over"]]
            return state, words.error("RESOURCE_EXHAUSTED", words.NO_MACHINES_IN_TIME)
        return super().stop_result()

    def no_machines(self, fault: Fault) -> NoReturn:
        """The job fails, or waits for machines when it is scheduled so (docstring of Scheduling.max_wait_duration)."""
        if self.scheduling.get("strategy") != "FLEX_START":
            super().no_machines(fault)
        wait = duration(self.scheduling["max_wait_duration"]) if "max_wait_duration" in self.scheduling else _MAX_WAIT
        if wait:
            self.limit(seconds(self.document["create_time"]) + wait, "wait")
        self.park(fault.seconds or None, self.provisioned)

    def provisioned(self) -> None:
        """The machines are there."""
        for timer in self.timers:
            timer.cancel()
        if self.document["state"] == "JOB_STATE_QUEUED":
            self.change("JOB_STATE_PENDING")
        self.run()

    def running(self) -> None:
        """The time limit counts from now on."""
        timeout = duration(self.scheduling["timeout"]) if "timeout" in self.scheduling else 0.0
        self.limit(seconds(self.document["start_time"]) + (timeout or _TIMEOUT), "timeout")
        if self.scheduling.get("strategy") in {"SPOT", "LOW_COST"}:
            self._preemption = self.world.faults.strike("spot", *self.subjects())

    def work(self) -> None:
        """From an empty folder to the end of the containers."""
        self.clean()
        self.check()
        document = self.document
        crew = Crew(self.world, self.scope, document, lay_out(document["job_spec"], self.folder))
        struck: Fault | None = None
        try:
            with self.lock:
                self._crew = crew
            self.check()
            crew.launch()
            if self.stopping:
                crew.stop_soon()
            if self.fault and self.fault.kind == "die":
                crew.kill()
            struck = self._preempted(crew)
            failed = crew.wait(lambda: bool(self.stopping))
        finally:
            with self.lock:
                self._crew = None
            crew.settle()
        if struck is None or self.stopping:
            self._finish(failed)
        if self.scheduling.get("disable_retries"):
            raise JobFailed("RESOURCE_EXHAUSTED", words.PREEMPTED)
        self.change("JOB_STATE_PENDING")
        assert struck is not None
        self.park(struck.seconds, self._again)

    def _finish(self, failed: list[tuple[str, int]]) -> NoReturn:
        self.check()
        if any(code == LOST for _, code in failed):
            raise JobFailed("INTERNAL", words.INTERNAL)
        if failed:
            raise JobFailed("INVALID_ARGUMENT", words.exited(self.scope, self.id, failed))
        self.end("JOB_STATE_SUCCEEDED", None)
        raise Parked

    def _again(self) -> None:
        """New spot machines: the code runs again from its beginning, with the checkpoints that it has written."""
        self.check()
        self.change("JOB_STATE_RUNNING")
        self._preemption = self.world.faults.strike("spot", *self.subjects())
        self.work()

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
