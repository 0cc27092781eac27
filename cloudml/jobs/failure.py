"""Why a job failed, where a person looks for it: services show little of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudml.runtime.failures import StepError, describe

CLASS = "cloudml-class: "
"""What the second line of the summary begins with."""


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


def summary(failed: dict[str, Any], limit: int) -> str:
    """The line, then the class and as much of the traceback's end as `limit` bytes hold: a service may keep nothing
    else. No character is broken.
    """
    trace = str(failed.get("traceback") or "").rstrip().encode()
    kind = str(failed.get("class") or "error")
    head = f"{line(failed)}\n".encode() + (f"{CLASS}{kind}\n".encode() if trace or kind != "error" else b"")
    rest = max(0, limit - len(head) - 1)
    kept = trace if len(trace) <= rest else trace[len(trace) - rest :].partition(b"\n")[2]
    text = head + kept + b"\n" if kept else head
    return text[:limit].decode("utf-8", "ignore")
