"""Tasks whose container is a launcher of the Google Cloud components: they act on the mock's own services."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import customjobs, launchers
from cloudml_vertex.mock.pipelines.room import Run

POLL = 20.0
"""Seconds between two looks at what a launcher waits for, when no news of it come (the launchers' own interval)."""

KINDS = ("CustomJob", "HyperparameterTuningJob", "BatchPredictionJob", "Operation")
"""What launchers wait for, by the kind of its changes on the bus."""


@dataclass(frozen=True)
class Look:
    """How far a launcher has come; `error` says why it failed."""

    done: bool = False
    error: str | None = None


def start(run: Run, record: Document, said: customjobs.Said) -> Look | None:
    """Act when the container is a launcher; None when it is not. Raises GoogleError."""
    try:
        launch = launchers.recognise(said.image, said.command, said.args)
    except launchers.LauncherProblem as problem:
        return Look(error=str(problem))
    if launch is None:
        return None
    record["_launch"] = {"said": [said.image, list(said.command), list(said.args)]}
    run.keep(record)
    if record["state"] == "PENDING":
        run.set(record, "RUNNING")
    return look(run, record)


def look(run: Run, record: Document) -> Look:
    """Go on, after the start, after news or after a restart. Raises GoogleError."""
    launch, state = _launch(record), record["_launch"].get("state")
    call = _caller(run, launch)
    if state is None:
        progress = launchers.start(launch, call, _stored(run, launch), run.job["labels"])
    else:
        progress = launchers.poll(launch, state, call)
    return _moved(run, record, progress)


def cancel(run: Run, record: Document) -> None:
    """Cancel what the launcher has started."""
    launch, state = _launch(record), record["_launch"].get("state")
    if state is not None:
        with suppress(GoogleError):  # best effort: what it started may have ended
            launchers.cancel(launch, state, _caller(run, launch))
    forget(run, record)


def forget(run: Run, record: Document) -> None:
    """Wait for no news any more."""
    for kind in KINDS:
        run.room.waiting.pop((kind, record["_launch"].get("resource", "")), None)


def _moved(run: Run, record: Document, progress: Any) -> Look:
    """Keep how far it has come."""
    for path, text in progress.files.items():
        gcs.write(run.world, path.replace("/gcs/", "gs://", 1), text.encode())
    forget(run, record)
    if progress.resource.rpartition("/")[0].endswith("/customJobs"):
        record["executor_detail"] = {"custom_job_detail": {"job": progress.resource}}
    if progress.error is not None or progress.done:
        record.pop("_launch")
        return Look(done=True, error=progress.error)
    record["_launch"].update(state=progress.state, resource=progress.resource)
    for kind in KINDS:
        run.room.waiting[kind, progress.resource] = (run.name, record["_path"])
    run.room.driver.look_in(run, record, POLL)
    run.keep(record)
    return Look()


def _launch(record: Document) -> Any:
    image, command, args = record["_launch"]["said"]
    launch = launchers.recognise(image, tuple(command), tuple(args))
    assert launch is not None
    return launch


def _stored(run: Run, launch: Any) -> str | None:
    """What an earlier attempt wrote to its `gcp_resources`."""
    path = str(launch.gcp_resources or "")
    try:
        return gcs.read(run.world, path.replace("/gcs/", "gs://", 1)).decode()
    except (gcs.GcsError, UnicodeDecodeError):
        return None


def _caller(run: Run, launch: Any) -> Any:
    account = run.world.project_number(launch.project) if launch.project else run.scope.account
    return partial(_call, run, Scope(account, launch.location or run.scope.region))


def _call(run: Run, scope: Scope, rpc: str, request: Document) -> Document:
    return run.world.call(scope, rpc, request)
