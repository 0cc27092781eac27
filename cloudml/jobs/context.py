"""What every step of a job may use: where things lie, what it was told, and the wish to stop."""

from __future__ import annotations

import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Layout, Platform, brought
from cloudml.jobs.sources import Sources
from cloudml.jobs.values import RUN, Values
from cloudml.runtime.failures import Interrupted

Document = dict[str, Any]
GRACE = 20.0
"""Seconds between SIGTERM and SIGKILL for a step that is over its time; services give a job 30 or more."""


class Stopping:
    """SIGTERM from the service: passed on to the processes of the step, and remembered."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._children: list[subprocess.Popen[bytes]] = []
        self._acting = False

    def listen(self) -> None:
        """From now on; call it in the main thread."""
        signal.signal(signal.SIGTERM, self._stop)

    def end(self) -> None:
        """End the processes of the step, as if the service had asked for it."""
        self.asked.set()
        for child in list(self._children):
            child.send_signal(signal.SIGTERM)

    def _stop(self, *_: object) -> None:
        first, idle = not self.asked.is_set(), not self._children
        self.end()
        if idle and first and self._acting:
            raise Interrupted("the step was asked to stop (SIGTERM)")

    def act(self, on: bool) -> None:
        """Whether work goes on in this very process, which the signal then breaks off."""
        self._acting = on
        if on and self.asked.is_set():
            raise Interrupted("the step was asked to stop (SIGTERM)")

    def wait(self, child: subprocess.Popen[bytes], timeout: float | None) -> bool:
        """Wait for the end of the process, at most so many seconds, then end it; whether it ended by itself."""
        self._children.append(child)
        if self.asked.is_set():  # the signal came before there was a process to pass it on to
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(child)
            return False
        finally:
            self._children.remove(child)
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@dataclass
class Context:
    """One job's surroundings. `project` is the unpacked code, `library` an archive, `work` a folder of its own."""

    platform: Platform
    work: Path
    sets: dict[str, str]
    stopping: Stopping
    sources: Sources
    step: Document = field(default_factory=dict)
    """The whole of `step.json`."""

    @property
    def layout(self) -> Layout:
        """Where things lie."""
        return self.platform.layout

    @property
    def project(self) -> Path:
        """The user's code."""
        return self.work / "project"

    @property
    def library(self) -> Path:
        """cloudml itself, imported as it lies there."""
        return self.work / "library.zip"

    @property
    def requirements(self) -> Path:
        """What the user's code needs, where the project has such a file."""
        return self.work / "requirements.txt"

    @property
    def run(self) -> str:
        """The run of the pipeline, or the job, when the step was not told."""
        return self.sets.get(RUN) or self.platform.run() or "run"

    @property
    def values(self) -> Values:
        """What evaluates values."""
        return Values(self.sets, self.sources, self.step.get("items"), self._champion)

    def _champion(self, wanted: Document) -> Any:
        function = brought(self.platform, "champion")
        if function is None:
            raise Refused(f"this library reads no champion's metric from {self.platform.service}")
        return function(wanted)

    def folder(self, *names: str) -> Path:
        """A folder inside `work`, made."""
        place = self.work.joinpath("steps", *names)
        place.mkdir(parents=True, exist_ok=True)
        return place
