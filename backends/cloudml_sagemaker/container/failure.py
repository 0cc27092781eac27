"""Why a job failed, where a person looks for it: SageMaker shows the beginning of one small file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cloudml.runtime.failures import StepError, describe

CLASS = "cloudml-class: "
"""What the second line of the message begins with."""
LIMIT = 1024
"""Bytes that SageMaker shows: FailureReason of a training job, ExitMessage of a processing job."""


class Refused(StepError):
    """The step cannot be done as asked; the message says why and what to do."""


def of(error: BaseException, paths: Iterable[str] = ()) -> dict[str, Any]:
    """The failure record of an exception in this process; for our own refusals the message is all there is to say.

    `paths` are the project's folders: only places in them are of interest.
    """
    found = describe(error, paths).to_dict()
    if isinstance(error, Refused):
        return {**found, "exception": "", "traceback": "", "where": ""}
    return {**found, "where": "" if found["where"].startswith("/") else found["where"]}


def record(kind: str, exception: str, message: str) -> dict[str, Any]:
    """A failure that no exception tells: a process that died, a time limit. `kind` is a class of `spec.Retry.on`."""
    return {"class": kind, "exception": exception, "message": message, "traceback": "", "where": "", "bases": []}


def line(failed: dict[str, Any]) -> str:
    """The failure in one line: exception, message, and where in the project."""
    name, message = str(failed.get("exception", "")).rpartition(".")[2], str(failed.get("message", ""))
    text = f"{name}: {message}" if name and not message.startswith(name) else message
    where = failed.get("where")
    return f"{text} ({where})" if where else text


def tell(place: Path, failed: dict[str, Any]) -> None:
    """Write the line, then the class and as much of the traceback's end as is shown: SageMaker may keep nothing else.

    Cut to what is shown without breaking a character.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    trace = str(failed.get("traceback") or "").rstrip().encode()
    kind = str(failed.get("class") or "error")
    head = f"{line(failed)}\n".encode() + (f"{CLASS}{kind}\n".encode() if trace or kind != "error" else b"")
    rest = max(0, LIMIT - len(head) - 1)
    kept = trace if len(trace) <= rest else trace[len(trace) - rest :].partition(b"\n")[2]
    text = head + kept + b"\n" if kept else head
    place.write_text(text[:LIMIT].decode("utf-8", "ignore"), encoding="utf-8")
