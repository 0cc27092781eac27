"""What the toy does: runs are JSON files, steps are processes of `python -m cloudml.runtime`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudml.backend.port import RunOptions
from cloudml.backend.records import Collected, Destroyed, Event, Listener, RunRecord, TaskRecord
from cloudml.errors import NotFound, Refused
from cloudml.plan import Observed, Plan, Resource


class ToySession:
    """An open toy: a directory."""

    def __init__(self, state: Path) -> None:
        self.runs = ToyRuns(state)
        self.models = self.endpoints = Nothing()

    def observe(self, resources: Sequence[Resource]) -> list[Observed]:
        return []

    def apply(self, resources: Sequence[Resource], plan: Plan) -> None:
        """A pipeline needs nothing to exist before it runs."""

    def destroy(self, dry_run: bool, keep_data: bool) -> Destroyed:
        return Destroyed((), ("a toy keeps its runs in .toy",), dry_run)

    def collect(self, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
        return Collected(objects=0, bytes=0, runs=0, dry_run=dry_run)

    def close(self) -> None:
        """Nothing is held."""


class Nothing:
    """Models and endpoints, of which a toy has none: no pipeline with them passes the check."""

    def list(self, *_: Any) -> list[Any]:
        return []

    def __getattr__(self, name: str) -> Any:
        raise NotFound("the toy has neither models nor endpoints")


class ToyRuns:
    def __init__(self, state: Path) -> None:
        self._state = state

    def start(
        self,
        resources: Sequence[Resource],
        parameters: Mapping[str, Any],
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> RunRecord:
        [pipeline] = resources
        run = f"{pipeline.name}-{len(self.list()) + 1}"
        begun, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        values = {name: _value(one, parameters.get(name)) for name, one in pipeline.document["parameters"].items()}
        tasks: list[TaskRecord] = []
        made: dict[str, dict[str, Any]] = {}
        for step in pipeline.document["steps"]:
            if tasks and tasks[-1].status == "failed":
                tasks.append(TaskRecord(step["name"], step["kind"], "skipped", reason="an earlier step failed"))
                continue
            result = self._run_step(run, pipeline.document, step, values, made)
            made[step["name"]] = {one["name"]: one for one in result["outputs"]}
            status = "succeeded" if result["status"] == "succeeded" else "failed"
            failure = result["failure"]
            task = TaskRecord(
                step["name"], step["kind"], status, attempts=1, failure=failure, values=result["values"],
                reason=failure["message"] if failure else "",
            )  # fmt: skip
            tasks.append(task)
            if listener is not None:
                listener(Event(run, task.id, status, task.reason, kind=task.kind))
        failed = [task for task in tasks if task.status == "failed"]
        record = RunRecord(
            run, pipeline.name, "failed" if failed else "succeeded", values, at, time.monotonic() - begun,
            f"{failed[0].id}: {failed[0].reason}" if failed else "", tasks=tuple(tasks),
        )  # fmt: skip
        self._file(run).write_text(json.dumps(record.to_dict()), encoding="utf-8")
        return record

    def _run_step(
        self, run: str, document: dict[str, Any], step: dict[str, Any], values: dict[str, Any], made: dict[str, Any]
    ) -> dict[str, Any]:
        """Write the envelope, run it, read what it left: all that a backend does for a step, wherever it runs."""
        folder = self._state / run / step["name"]
        (folder / "outputs").mkdir(parents=True)
        inputs, arguments = [], {}
        ports = {port["name"]: port for port in step["inputs"]}
        for argument in step["arguments"]:
            name, value = argument["name"], argument["value"]
            if value["kind"] == "output":
                stored = made[value["step"]][value["output"]]
                inputs.append({**stored, "name": name, "type": ports[name]["type"], "mode": ports[name]["mode"]})
            else:
                arguments[name] = values[value["name"]] if value["kind"] == "parameter" else value["value"]
        envelope = {
            "version": 1, "run": run, "step": step["name"], "function": step["function"], "paths": [document["root"]],
            "inputs": inputs, "arguments": arguments, "outputs": step["outputs"],
            **{name: str(folder / name) for name in ("result", "reports", "progress")},
            "output_dir": str(folder / "outputs"),
        }  # fmt: skip
        path = folder / "envelope.json"
        path.write_text(json.dumps(envelope), encoding="utf-8")
        with open(folder / "log", "wb") as log:
            command = [document["python"] or sys.executable, "-m", "cloudml.runtime", str(path)]
            subprocess.run(command, stdout=log, stderr=log, check=False)
        result: dict[str, Any] = json.loads((folder / "result").read_text(encoding="utf-8"))
        return result

    def _file(self, run: str) -> Path:
        return self._state / f"{run}.json"

    def list(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        files = sorted(self._state.glob("*.json"), key=lambda file: int(file.stem.rpartition("-")[2]), reverse=True)
        records = [_read(file) for file in files]
        return [one for one in records if pipeline in (None, one.pipeline)][:limit]

    def get(self, run: str) -> RunRecord:
        for record in self.list(limit=sys.maxsize):
            if run in ("last", record.id):
                return record
        raise NotFound(f"there is no run {run!r}")

    def logs(self, run: str, task: str, follow: bool = False) -> Any:
        return iter((self._state / self.get(run).id / task / "log").read_text(encoding="utf-8").splitlines())

    def __getattr__(self, name: str) -> Any:
        raise Refused(f"the toy cannot {name} a run", hint="use --backend local")


def _value(declared: dict[str, Any], given: Any) -> Any:
    """What the command line gives is text."""
    if given is None:
        return declared["default"]
    return given if declared["type"] in ("str", "path") or not isinstance(given, str) else json.loads(given)


def _read(file: Path) -> RunRecord:
    stored = json.loads(file.read_text(encoding="utf-8"))
    tasks = tuple(TaskRecord(**{**asdict(TaskRecord("", "", "pending")), **task}) for task in stored.pop("tasks"))
    return RunRecord(**stored, tasks=tasks)
