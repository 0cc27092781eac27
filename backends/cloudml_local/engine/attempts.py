"""One attempt of a job: its folder and envelope before, its result and the meaning of its exit after."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.errors import CorruptArtifact
from cloudml_local.engine.workers import Exit
from cloudml_local.state.store import Store, remove, store_error

_NO_FAILURE = {"class": "error", "exception": "", "message": "it failed", "traceback": "", "where": ""}
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True)
class Work:
    """What one job runs and on what, before it has a place: an envelope without paths."""

    step: str
    function: str
    inputs: list[dict[str, Any]] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: str | None = None
    pruning: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: `status` succeeded, failed or pruned."""

    status: str
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    reports: list[Any] = field(default_factory=list)
    failure: dict[str, Any] | None = None

    @property
    def reason(self) -> str:
        """The failure in one line."""
        if self.failure is None:
            return ""
        name = self.failure.get("exception", "").rpartition(".")[2]
        message = self.failure.get("message", "")
        return f"{name}: {message}" if name and not message.startswith(name) else message


def prepare(folder: Path, run: str, attempt: int, work: Work, paths: list[str], threads: int | None) -> Path:
    """Make the attempt's folder, empty, and write its envelope; the envelope's path."""
    try:
        if folder.exists():
            remove(folder)
        (folder / "outputs").mkdir(parents=True)
        envelope = {
            "version": 1,
            "run": run,
            "step": work.step,
            "attempt": attempt,
            "function": work.function,
            "paths": paths,
            "inputs": work.inputs,
            "arguments": work.arguments,
            "secrets": work.secrets,
            "outputs": work.outputs,
            "output_dir": str(folder / "outputs"),
            "result": str(folder / "result.json"),
            "reports": str(folder / "reports.jsonl"),
            "progress": str(folder / "progress.json"),
            "checkpoint": work.checkpoint,
            "pruning": work.pruning,
            "threads": threads,
            "seed": None,
        }
        if work.checkpoint is not None:
            Path(work.checkpoint).mkdir(parents=True, exist_ok=True)
        path = folder / "envelope.json"
        path.write_text(json.dumps(envelope))
    except OSError as error:
        raise store_error(error, folder) from error
    return path


def conclude(
    folder: Path, ended: Exit, store: Store, ports: list[dict[str, Any]], why_killed: dict[str, Any] | None
) -> Outcome:
    """Read what an attempt left; its outputs go into the store. `why_killed` is our own reason for killing it."""
    result = _result(folder)
    status = None if result is None else result.get("status")
    if why_killed is not None and (status != "succeeded" or why_killed["class"] != "interrupted"):
        return Outcome("failed", failure=why_killed)
    if result is None or (ended.code < 0 and status != "succeeded"):
        return Outcome("failed", failure=_crash(ended))
    try:
        if status == "failed":
            return Outcome("failed", failure=_told(result["failure"]), reports=list(result["reports"]))
        outputs = _adopt(folder, result["outputs"], store, {port["name"]: port["type"] for port in ports})
        return Outcome(str(status), outputs, dict(result["values"]), list(result["reports"]), None)
    except (KeyError, TypeError, ValueError, AttributeError, CorruptArtifact) as error:
        message = f"the step's result.json is not what cloudml.runtime writes: {error}"
        return Outcome("failed", failure=failure("error", "InvalidResult", message))


def _told(failed: dict[str, Any]) -> dict[str, Any]:
    """The failure that a step tells of, whatever it put into it."""
    bases = [str(base) for base in failed.get("bases", ())]
    return {**{name: str(failed.get(name, usual)) for name, usual in _NO_FAILURE.items()}, "bases": bases}


def _adopt(
    folder: Path, records: list[dict[str, Any]], store: Store, types: dict[str, str]
) -> dict[str, dict[str, Any]]:
    outputs = {}
    for record in records:
        kept = {name: record[name] for name in ("format", "digest", "size", "filename")}
        if not isinstance(kept["filename"], str) or Path(kept["filename"]).name != kept["filename"]:
            raise ValueError(f"{kept['filename']!r} is not the name of a file")
        outputs[record["name"]] = {"type": types[record["name"]], **kept}
        store.adopt(_inside(folder, record["path"]), record["digest"])
    return outputs


def _inside(folder: Path, path: str) -> Path:
    """The path, which must lie in the attempt's folder: a step may name no other file as its output."""
    found = Path(path)
    if not found.is_relative_to(folder) or ".." in found.parts:
        raise ValueError(f"output {path} is outside of {folder}")
    if found.resolve() != folder.resolve() / found.relative_to(folder):
        raise ValueError(f"output {path} is a symbolic link; an artifact holds its content itself")
    if not found.exists():
        raise ValueError(f"output {path} is not there")
    return found


def _result(folder: Path) -> dict[str, Any] | None:
    try:
        result = json.loads((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) else None


def _crash(ended: Exit) -> dict[str, Any]:
    """A process that left no result: told by its exit."""
    if ended.code >= 0:
        message = f"the process ended with exit code {ended.code} before it wrote a result (os._exit, or a full disk?)"
        return failure("crash", "ProcessDied", message)
    number = -ended.code
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    peak = f"; its peak memory was {ended.peak / 2**20:.0f} MiB" if ended.peak else ""
    if number == signal.SIGKILL:
        cause = "its parent was killed" if ended.lost else "most likely by the kernel, for want of memory"
        return failure(
            "memory", "Killed", f"killed by {name}, {cause}{peak}. Use less data at once or a larger machine."
        )
    if number in _CRASHES:
        return failure(
            "crash", "Crashed", f"crashed with {name} in native code{peak}. The log's last lines may name the library."
        )
    return failure("interrupted", "Killed", f"ended by {name}, which cloudml did not send")


def failure(kind: str, exception: str, message: str) -> dict[str, Any]:
    """A failure record of our own making."""
    return {"class": kind, "exception": exception, "message": message, "traceback": "", "where": ""}


def retryable(policy: dict[str, Any] | None, attempt: int, failed: dict[str, Any]) -> float | None:
    """Seconds to wait before the next attempt, or None when there is none."""
    if policy is None or attempt >= policy["attempts"]:
        return None
    exception = failed.get("exception", "")
    names = {failed.get("class"), exception, exception.rpartition(".")[2], exception.removeprefix("builtins.")}
    names.update(failed.get("bases", ()))
    if not names & set(policy["on"]):
        return None
    return float(min(policy["delay"] * policy["backoff"] ** (attempt - 1), policy["max_delay"]))


def tail(path: Path, lines: int = 20, limit: int = 1 << 16) -> list[str]:
    """The last lines of a log, however long it is."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            start = max(0, file.tell() - limit)
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]
