"""Deploy, ask, stop, start: what the rest of the backend does with endpoints. Quick to import, quick to ask."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudml.errors import StateError
from cloudml_local.endpoint import control, faults, processes
from cloudml_local.endpoint.calls import call, confirm
from cloudml_local.endpoint.deployment import Deployment, EndpointStatus
from cloudml_local.endpoint.ending import (
    ASK_SECONDS,
    STOP_SECONDS,
    answers,
    ask_to_stop,
    end_router,
    readable,
    wait_silent,
)
from cloudml_local.endpoint.launch import launch_router, require_packages, tail
from cloudml_local.endpoint.lock import exclusive
from cloudml_local.endpoint.paths import EndpointPaths, endpoint_names
from cloudml_local.endpoint.record import Record, read_record, utc_now, write_record

Progress = Callable[[str], None]

_PATIENCE_SECONDS = 15.0
"""Before a router that runs but does not answer is killed: on a loaded machine slow is not dead."""

_LOCK_MARGIN_SECONDS = 30.0
_SILENCE_MARGIN_SECONDS = 30.0
_LOST = "its router is not running: it was killed, or the machine was started again"


class EndpointManager:
    """The endpoints below one state directory. Holds nothing: every call reads what is true now."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root).absolute()

    def deploy(
        self, name: str, deployment: Deployment, *, timeout: float = 120.0, on_progress: Progress | None = None
    ) -> EndpointStatus:
        """Serve the deployment and return once the endpoint itself says that it does; a no-op when it does already.

        `timeout` is how long (seconds) the new version may take to become ready. Until then, and when it fails, what
        is in service stays. Raises Refused (CML520, CML523), StateError (CML522, CML524, CML525, CML528), MissingExtra.
        """
        return self._serve(name, deployment, None, timeout, on_progress)

    def start(self, name: str, *, timeout: float = 120.0, on_progress: Progress | None = None) -> EndpointStatus:
        """Serve again what was served last, under the same number and, if it is free, on the same port.

        Raises NotFound (CML521), Refused (CML529) and what `deploy` raises.
        """
        record = self._record(name)
        if record.deployment is None:
            raise faults.nothing_to_start(name)
        return self._serve(name, record.deployment.deployment, record.deployment.id, timeout, on_progress)

    def previous(self, name: str) -> Deployment:
        """What it served before the present deployment. Raises NotFound (CML521), Refused (CML529)."""
        record = self._record(name)
        if record.previous is None:
            raise faults.nothing_before(name)
        return record.previous.deployment

    def status(self, name: str) -> EndpointStatus | None:
        """The endpoint as it is now, asked from its router; None when there is none. Raises StateError (CML527)."""
        paths = EndpointPaths.of(self._root, name)
        record = read_record(paths)
        if record is None:
            return None
        if not _alive(paths, record):
            return _status(_without_router(record))
        try:
            answer = control.ask(record.control, "status", timeout=ASK_SECONDS)
        except control.ControlFailed as error:
            return _status(replace(record, status="failed", error=f"its router does not answer: {error}"))
        return _status(Record.from_dict(answer["record"]), answer["counters"])

    def list(self) -> list[EndpointStatus]:
        """Every endpoint, by name. One whose record is damaged is listed as failed."""
        return [self._status_or_damage(name) for name in endpoint_names(self._root)]

    def serves(self, name: str, model: str, version: int, digest: str) -> bool:
        """Does the endpoint answer with exactly this version now?"""
        status = self.status(name)
        if status is None or not status.serving:
            return False
        return (status.model, status.version, status.digest) == (model, version, digest)

    def stop(self, name: str) -> EndpointStatus:
        """Answer what is in flight, then end every process. A stopped endpoint stays stopped; a running deploy is
        abandoned. Raises NotFound (CML521), StateError (CML524).
        """
        paths = EndpointPaths.of(self._root, name)
        self._record(name)
        # Before the lock, which a deploy may hold for minutes.
        ask_to_stop(paths)
        with exclusive(paths, STOP_SECONDS + _LOCK_MARGIN_SECONDS):
            record = read_record(paths)
            if record is None:
                raise faults.unknown(name, endpoint_names(self._root))
            if _alive(paths, record):
                end_router(paths, record)
                record = read_record(paths) or record
            if record.pid is not None or record.status != "stopped":
                record = replace(
                    record, status="stopped", pid=None, start_time="", variants=(), error="", updated_at=utc_now()
                )
                write_record(paths, record)
            return _status(record)

    def delete(self, name: str) -> None:
        """Stop the endpoint and forget it, its logs included. Raises NotFound (CML521)."""
        paths = EndpointPaths.of(self._root, name)
        if not paths.record.exists():
            raise faults.unknown(name, endpoint_names(self._root))
        ask_to_stop(paths)
        with exclusive(paths, STOP_SECONDS + _LOCK_MARGIN_SECONDS):
            record = readable(paths)
            if record is None:
                wait_silent(str(paths.control))
            elif _alive(paths, record):
                end_router(paths, record)
            shutil.rmtree(paths.folder, ignore_errors=True)
            paths.control.unlink(missing_ok=True)

    def logs(self, name: str) -> Path:
        """The router's log; those of the model servers are in `servers/` beside it. Raises NotFound (CML521)."""
        self._record(name)
        return EndpointPaths.of(self._root, name).log

    def invoke(
        self, name: str, body: bytes, content_type: str = "application/json", timeout: float = 60.0
    ) -> tuple[int, dict[str, str], bytes]:
        """POST the body to /invocations: status, headers (names in lower case) and body of the answer.

        Raises NotFound (CML521), Refused (CML526) when nothing answers there.
        """
        record = self._record(name)
        paths = EndpointPaths.of(self._root, name)
        if not _alive(paths, record):
            raise faults.not_running(name, _without_router(record).status)
        try:
            return call(record.port, "POST", "/invocations", timeout, body, {"Content-Type": content_type})
        except ConnectionError:
            raise faults.not_running(name, "not reachable") from None
        except (OSError, http.client.HTTPException) as error:
            raise faults.router_failed(name, f"gave no answer within {timeout:g} seconds: {error!r}") from error

    def metrics(self, name: str) -> dict[str, Any]:
        """Counters and latency histogram of each variant since it took over. Raises NotFound, Refused (CML526)."""
        record = self._record(name)
        if not _alive(EndpointPaths.of(self._root, name), record):
            raise faults.not_running(name, _without_router(record).status)
        try:
            return dict(control.ask(record.control, "metrics", timeout=ASK_SECONDS))
        except control.ControlFailed as error:
            raise faults.router_failed(name, f"does not answer: {error}") from error

    def _serve(
        self, name: str, deployment: Deployment, number: int | None, timeout: float, on_progress: Progress | None
    ) -> EndpointStatus:
        paths = EndpointPaths.of(self._root, name)
        say = on_progress or _say_nothing
        require_packages()
        paths.make()
        with exclusive(paths, timeout + _LOCK_MARGIN_SECONDS, lambda: say("waiting for another deploy")):
            record = self._running_router(paths, say)
            try:
                answer = control.ask(
                    record.control,
                    "deploy",
                    timeout=timeout + _SILENCE_MARGIN_SECONDS,
                    on_progress=say,
                    deployment=deployment.to_dict(),
                    seconds=timeout,
                    id=number,
                )
            except control.RouterRefused as refusal:
                raise self._failure(paths, record, refusal) from None
            except control.ControlFailed as error:
                raise faults.router_failed(name, f"went away: {error}\n{tail(paths.log)}") from error
            status = _status(Record.from_dict(answer["record"]), answer["counters"])
            confirm(status)
            return status

    def _running_router(self, paths: EndpointPaths, say: Progress) -> Record:
        """The record of a router that answers; a dead or dumb one is replaced."""
        record = readable(paths)
        if record is not None and _alive(paths, record):
            if answers(record.control, _PATIENCE_SECONDS):
                return record
            say("the router does not answer; it is replaced")
            processes.kill(record.pid or 0, record.start_time)
        if record is not None and not record.belongs_to(paths):
            # A copied folder: the port is the original's.
            write_record(paths, replace(record, folder=str(paths.folder), port=0, pid=None, start_time=""))
        elif record is None:
            paths.record.unlink(missing_ok=True)
        say("starting the router")
        launch_router(paths)
        started = read_record(paths)
        if started is None:
            raise faults.router_failed(paths.name, "left no record")
        return started

    def _failure(self, paths: EndpointPaths, record: Record, refusal: control.RouterRefused) -> Exception:
        blue = self.status(paths.name)
        serves = blue is not None and blue.serving
        if not serves and record.pid is not None:
            # With nothing to serve the router ends itself; a failed deploy leaves no process behind.
            processes.wait_gone(record.pid, record.start_time, STOP_SECONDS)
        if refusal.kind == "not_ready":
            return faults.not_ready(paths.name, refusal.reason, blue_serves=serves)
        return faults.router_failed(paths.name, f"did not deploy: {refusal.reason}")

    def _record(self, name: str) -> Record:
        record = read_record(EndpointPaths.of(self._root, name))
        if record is None:
            raise faults.unknown(name, endpoint_names(self._root))
        return record

    def _status_or_damage(self, name: str) -> EndpointStatus:
        try:
            status = self.status(name)
        except StateError as error:
            return EndpointStatus(name, "", 0, "failed", error=error.message)
        return status or EndpointStatus(name, "", 0, "stopped")


def _say_nothing(text: str) -> None:
    """For callers that do not listen."""


def _alive(paths: EndpointPaths, record: Record) -> bool:
    return processes.is_running(record.pid, record.start_time) and record.belongs_to(paths)


def _without_router(record: Record) -> Record:
    """What a record means whose router is gone: only a stop, or a failure before it went, was meant."""
    if record.status in ("stopped", "failed") and record.pid is None:
        return record
    return replace(record, status="failed", pid=None, error=_LOST)


def _status(record: Record, counters: Mapping[str, Any] | None = None) -> EndpointStatus:
    served = record.deployment
    deployment = served.deployment if served else None
    return EndpointStatus(
        name=record.name,
        url=record.url,
        port=record.port,
        status=record.status,
        model=deployment.model if deployment else None,
        version=deployment.version if deployment else None,
        digest=deployment.digest if deployment else None,
        deployment_id=served.id if served else None,
        pid=record.pid,
        error=record.error,
        started_at=served.since if served else "",
        counters=counters or {},
    )


__all__ = ["Deployment", "EndpointManager", "EndpointStatus"]
