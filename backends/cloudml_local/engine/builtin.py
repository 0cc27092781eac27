"""Functions of ours that run as steps: in a worker, with an envelope, a log and a time limit like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudml.runtime.verification import BadAnswer, Row, checked, examine, sample_of


def sample_rows(limit: int, sample: Any = None) -> dict[str, Any]:
    """The first rows of a table as JSON objects."""
    return {"rows": [] if sample is None else sample_of(sample, limit)}


def deploy(state: str, name: str, deployment: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Blue to green on the local endpoint; what it serves afterwards."""
    from cloudml.runtime.digest import measure
    from cloudml.runtime.failures import CorruptArtifact
    from cloudml_local.endpoint.manager import EndpointManager
    from cloudml_local.endpoints import from_json

    place = Path(deployment["model_path"])
    if not place.exists() or measure(place)[0] != deployment["digest"]:
        raise CorruptArtifact(
            f"the model at {place} is not what {deployment['model']}/{deployment['version']} was registered as; "
            "run the pipeline again to make and register it anew"
        )
    manager = EndpointManager(Path(state))
    status = manager.deploy(name, from_json(deployment), timeout=timeout, on_progress=print)
    return {"url": status.url, "deployment": status.deployment_id, "version": status.version}


def verify(
    url: str,
    version: int,
    rows: int,
    requests: int,
    p95: float | None,
    max_error_rate: float,
    judge: str | None,
    sample: Any = None,
    given: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Call an endpoint with real rows and hold its answers against the limits.

    Raises AssertionError with all findings.
    """
    sent = sample_of(sample, rows) if sample is not None else list(given or [])[:rows]
    server = _Server(url, version)
    try:
        report = examine(server.post, sent, requests=requests, p95=p95, max_error_rate=max_error_rate, judge=judge)
    finally:
        server.close()
    return {**report, "version": version}


class _Server:
    """An endpoint of this machine, on one connection."""

    def __init__(self, url: str, version: int) -> None:
        from http.client import HTTPConnection
        from urllib.parse import urlsplit

        place = urlsplit(url)
        self._connection = HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
        self._version = str(version)

    def close(self) -> None:
        self._connection.close()

    def post(self, rows: list[Row]) -> list[Any]:
        """The predictions for the rows. Raises BadAnswer."""
        from http.client import HTTPException

        try:
            return self._post(rows)
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            self._connection.close()
            raise BadAnswer(f"{type(error).__name__}: {error}") from error

    def _post(self, rows: list[Row]) -> list[Any]:
        body = json.dumps({"instances": rows})
        self._connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise BadAnswer(f"HTTP {answer.status}: {text[:300].decode(errors='replace')}")
        served = answer.headers.get("x-cloudml-model-version")
        if served is not None and served != self._version:
            raise BadAnswer(f"version {served} answered instead of {self._version}")
        return checked(json.loads(text)["predictions"], rows)
