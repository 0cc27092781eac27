"""Workers without processes, and all else that a driver needs to run a spec in this process."""

from __future__ import annotations

import hashlib
import json
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cloudml import spec
from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import Event
from cloudml.code import FunctionSource, Sources
from cloudml_local.compile import compile_pipeline
from cloudml_local.engine.driver import Driver
from cloudml_local.engine.kinds import dispatch
from cloudml_local.engine.workers import Exit, Job, Workers
from cloudml_local.registry import Registry
from cloudml_local.state.database import Database
from cloudml_local.state.journal import Journal
from cloudml_local.state.store import Store

Function = Callable[[dict[str, Any]], dict[str, Any]]
"""From the envelope to the values of the step's outputs by name; raises to fail."""


class FakeWorkers(Workers):
    """Computes each job when it is asked for ended ones; which of several ends first is drawn."""

    def __init__(self, function: Function, seed: int = 0) -> None:
        super().__init__(Path("unused.log"))
        self._function = function
        self._chance = random.Random(seed)
        self._jobs: dict[int, Job] = {}
        self._bell, self._ear = socket.socketpair()
        self._number = 0
        self.started: list[dict[str, Any]] = []
        self.ended: list[str] = []

    @property
    def channel(self) -> socket.socket | None:
        return self._ear

    def start(self, job: Job) -> int:
        self._number += 1
        self._jobs[self._number] = job
        self.started.append(json.loads(job.envelope.read_text()))
        self._bell.send(b"!")
        return self._number

    def exits(self) -> Iterator[Exit]:
        self._ear.recv(1)
        number = self._chance.choice(sorted(self._jobs))
        envelope = json.loads(self._jobs.pop(number).envelope.read_text())
        yield Exit(number, _perform(envelope, self._function))
        self.ended.append(envelope["step"])

    def signal(self, number: int, what: int) -> None:
        """These jobs end at once anyway."""

    def close(self) -> None:
        self._bell.close()
        self._ear.close()


def _perform(envelope: dict[str, Any], function: Function) -> int:
    result: dict[str, Any] = {"status": "succeeded", "outputs": [], "values": {}, "reports": [], "failure": None}
    try:
        made = function(envelope)
    except ValueError as error:
        failed = {"class": "error", "exception": "ValueError", "message": str(error), "traceback": "", "where": ""}
        result |= {"status": "failed", "failure": failed}
        made = {}
    for name, value in made.items():
        content = json.dumps(value).encode()
        path = Path(envelope["output_dir"], f"{name}.json")
        path.write_bytes(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        record = {"name": name, "path": str(path), "format": "json", "digest": digest, "size": len(content)}
        result["outputs"].append({**record, "filename": path.name})
        result["values"][name] = value
    Path(envelope["result"]).write_text(json.dumps(result))
    return 1 if result["failure"] else 0


class Bench:
    """One state directory in which specs are driven with fake workers."""

    def __init__(self, folder: Path) -> None:
        self.state = folder
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        self.database = Database(folder / "state.db")
        self.journal = Journal(self.database)
        self.store = Store(folder / "objects")
        self.registry = Registry(self.journal, self.store, folder / "bundles")
        self.events: list[Event] = []

    def create(self, pipeline: spec.Pipeline) -> str:
        """A run of the pipeline that nobody has driven yet."""
        document = self.document(pipeline)
        return self.journal.create_run(pipeline.name, document.document, document.digest, _parameters(pipeline))

    def document(self, pipeline: spec.Pipeline) -> Any:
        """The compiled pipeline; the functions' code is of no matter here."""
        functions = {
            str(job.function): FunctionSource("code", ())
            for job in (step.job if isinstance(step, spec.TuningStep) else step for step in spec.walk(pipeline.steps))
            if isinstance(job, spec.JobStep)
        }
        target = Target("local", "local", "bench", self.state)
        return compile_pipeline(pipeline, target, Sources(self.state, functions, ""))[0]

    def drive(self, run: str, workers: Workers, options: RunOptions | None = None) -> dict[str, str]:
        """Drive a run to its end; the states of its tasks."""
        row = self.journal.run(run)
        (self.state / "runs" / run).mkdir(parents=True, exist_ok=True)
        self.driver = Driver(
            row, self.state, self.journal, self.store, self.registry, options or RunOptions(cache=False),
            dispatch, self.events.append, workers,
        )  # fmt: skip
        self.driver.recall(self.journal.tasks(run))
        self.status = self.driver.drive()
        return {name: task["status"] for name, task in self.journal.tasks(run).items()}

    def close(self) -> None:
        self.database.close()


def _parameters(pipeline: spec.Pipeline) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in pipeline.parameters}
