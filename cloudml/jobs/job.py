"""A step that runs a function of the project: bind what it reads, run it in a process of its own, try again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.jobs import failure, retries, secret_values
from cloudml.jobs.context import Context, Document
from cloudml.jobs.distribution import command
from cloudml.jobs.failure import Refused
from cloudml.jobs.lineage import lineage
from cloudml.jobs.outputs import Outcome
from cloudml.jobs.sources import Stored

_EXTERNAL = ("pathlib.Path", "cloudml.File", "cloudml.Dataset", "cloudml.Model", "cloudml.Report")
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True)
class Trial:
    """What one of several runs of the same step in one job has of its own: its values, its folders, its rivals.

    `pruning`: of the runtime's envelope. `checkpoint`: a folder for this trial's.
    """

    folder: str
    parameters: dict[str, Any]
    environment: dict[str, str]
    pruning: dict[str, Any] | None = None
    checkpoint: Path | None = None


def run_job(step: Document, context: Context, parameters: dict[str, Any] | None = None) -> Outcome:
    """Run the step, again while its policy says so; `parameters` are the values of a trial."""
    inputs, arguments = bind(step, context)
    return run_bound(step, context, {"inputs": inputs, "arguments": {**arguments, **(parameters or {})}})


def run_trial(step: Document, context: Context, bound: Document, trial: Trial) -> Outcome:
    """Run the step with what it reads bound already (`inputs` and `arguments`). Several may run at once, in threads."""
    own = {
        "place": trial.folder,
        "pruning": trial.pruning,
        "environment": {**(step.get("environment") or {}), **trial.environment},
        "checkpoint": trial.checkpoint is not None,
        "checkpoint_folder": trial.checkpoint,
    }
    return run_bound({**step, **own}, context, {**bound, "arguments": {**bound["arguments"], **trial.parameters}})


def run_bound(step: Document, context: Context, bound: Document) -> Outcome:
    """Run the step with what it reads bound already."""
    secrets = secret_values.environment(step.get("secrets", {}).values(), context)
    attempt = 1
    while True:
        outcome = _attempt(step, context, bound, secrets, attempt)
        wait = retries.delay(step.get("retry"), attempt, outcome.failure) if outcome.failure is not None else None
        if wait is None or context.stopping.asked.wait(wait):
            return Outcome(**{**vars(outcome), "more": {**outcome.more, "attempts": attempt}})
        sys.stderr.write(f"cloudml: {failure.line(outcome.failure or {})}; attempt {attempt + 1}\n")
        attempt += 1


def bind(step: Document, context: Context) -> tuple[list[Document], dict[str, Any]]:
    """The envelope's inputs and arguments. Raises Refused, CorruptArtifact.

    As on every backend, a JSON artifact is an argument unless the function asks for its file.
    """
    arguments = {name: context.values.json(value) for name, value in step.get("arguments", {}).items()}
    inputs = []
    for port in step.get("inputs", ()):
        if port.get("from") is None:
            continue
        found = _input(port, port["from"], context)
        if found is not None:
            inputs.append(found)
        else:
            arguments[port["name"]] = context.values.json(port["from"])
    return inputs, arguments


def _input(port: Document, source: Document, context: Context) -> Document | None:
    """An artifact, a list of them or a file; None for what is a plain value."""
    base = {"name": port["name"], "type": port["type"], "mode": port.get("mode", "value")}
    if "external" in source:
        path = context.sources.external(source["external"], str(context.values.json(source["uri"])))
        return {**base, **_file(path, port["name"])}
    if source.get("port") is not None and source.get("field") is None:
        if context.sources.is_collected(source):
            several = context.sources.all(source)
            plain = all(one.format == "json" for one in several)
            return None if plain else {**base, "items": [_at(one) for one in several]}
        one = context.sources.one(source)
        return None if one.format == "json" and base["mode"] == "value" else {**base, **_at(one)}
    if base["mode"] == "handle" or port["type"] in _EXTERNAL:
        text = context.values.json(source)
        if not isinstance(text, str):
            raise Refused(f"input {port['name']} is a file; {text!r} is not a path")
        return {**base, **_file((context.project / text).resolve(), port["name"])}
    return None


def _at(stored: Stored) -> Document:
    return {"path": str(stored.path), "format": stored.format, "digest": stored.digest, "filename": stored.filename}


def _file(path: Path, name: str) -> Document:
    """A file of the user's: in the project, or what lies at an address of theirs."""
    if not path.exists():
        raise Refused(f"input {name}: there is no {path.name} in the code bundle. Paths start at the project's root.")
    kind = "directory" if path.is_dir() else "file"
    return {"path": str(path), "format": kind, "digest": None, "filename": path.name}


def _attempt(step: Document, context: Context, bound: Document, secrets: dict[str, str], attempt: int) -> Outcome:
    folder = context.folder(step.get("place") or step["step"], str(attempt))
    envelope = _envelope(step, context, bound, folder, attempt)
    words = command(envelope, step.get("distribution"), context.layout)
    path = os.pathsep.join(filter(None, (str(context.library), os.environ.get("PYTHONPATH", ""))))
    own = step.get("environment") or {}
    environment = {**os.environ, **own, **secrets, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    timeout = step.get("timeout")
    child = subprocess.Popen(words, env=environment, cwd=folder)  # noqa: S603 - our own command
    in_time = context.stopping.wait(child, timeout)
    result = _result(folder / "result.json")
    if result is not None and result["status"] == "succeeded":
        return _made(step, result, bound)
    if not in_time:
        message = (
            f"still running after its timeout of {timeout:g} s. Give it more with timeout=, or find where it hangs."
        )
        return Outcome("failed", failure=failure.record("timeout", "Timeout", message))
    if result is None:
        return Outcome("failed", failure=_died(child.returncode))
    reports = {"reports": result["reports"]} if result["reports"] else {}
    return Outcome(result["status"], failure=result["failure"], more=reports)


def _envelope(step: Document, context: Context, bound: Document, folder: Path, attempt: int) -> Path:
    (folder / "outputs").mkdir()
    checkpoint = step.get("checkpoint_folder") or context.layout.checkpoints
    if step.get("checkpoint"):
        checkpoint.mkdir(parents=True, exist_ok=True)
    document = {
        "version": 1,
        "run": context.run,
        "step": step["step"],
        "attempt": attempt,
        "function": step["function"],
        "paths": [str(context.project)],
        **bound,
        "secrets": step.get("secrets", {}),
        "outputs": step.get("outputs", []),
        "output_dir": str(folder / "outputs"),
        "result": str(folder / "result.json"),
        "reports": str(folder / "reports.jsonl"),
        "progress": str(folder / "progress.json"),
        "checkpoint": str(checkpoint) if step.get("checkpoint") else None,
        "pruning": step.get("pruning"),
        "threads": step.get("threads"),
        "seed": step.get("seed"),
    }
    path = folder / "envelope.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _result(path: Path) -> Document | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "status" in found else None


def _made(step: Document, result: Document, bound: Document) -> Outcome:
    origin = lineage(bound["inputs"], bound["arguments"])
    ports = {port["name"]: port for port in step.get("outputs", ())}
    outputs = {
        one["name"]: Stored(
            one["name"], ports[one["name"]]["type"], one["format"], one["digest"], one["size"], one["filename"],
            Path(one["path"]), origin,
        )
        for one in result["outputs"]
    }  # fmt: skip
    values = result["values"]
    metrics = {name: values[name] for name, port in ports.items() if port.get("mode") == "metrics" and name in values}
    more = {"reports": result["reports"]} if result["reports"] else {}
    return Outcome("succeeded", outputs, values, metrics, more=more)


def _died(code: int) -> Document:
    """A process that left no result: told by its exit."""
    if code >= 0:
        return failure.record(
            "crash", "ProcessDied", f"the process ended with exit code {code} before it wrote a result (os._exit?)"
        )
    number = -code
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        words = f"killed by {name}, most likely for want of memory. Use less data at once or a larger machine."
        return failure.record("memory", "Killed", words)
    if number in _CRASHES:
        words = f"crashed with {name} in native code. The log's last lines may name the library."
        return failure.record("crash", "Crashed", words)
    return failure.record("interrupted", "Killed", f"ended by {name}")
