"""What an endpoint is asked to serve, and what is known about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Deployment:
    """One model version and how to serve it.

    `project` is put on the servers' import path; `sample` holds rows the model accepts: the first of them are the
    warm-up, their types the check of every request. `request_timeout` is in seconds, `copies` counts processes.
    Raises ValueError for fewer than one copy, a time that is not positive, or sample rows that are not JSON.
    """

    model: str
    version: int
    digest: str
    model_path: str
    predictor: str | None = None
    project: str = ""
    sample: tuple[dict[str, Any], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    request_timeout: float = 60.0
    copies: int = 1
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ValueError(f"a deployment needs at least one copy, got {self.copies}")
        if self.request_timeout <= 0:
            raise ValueError(f"the request timeout must be positive, got {self.request_timeout}")
        try:
            json.dumps(self.sample, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the sample rows must hold JSON values, null for a missing one: {error}") from error

    def same_service(self, other: Deployment) -> bool:
        """Would a client notice no difference? Where the file lies does not matter: the digest says what it holds."""
        return replace(self, model_path="") == replace(other, model_path="")

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Deployment:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for another document."""
        fields = dict(document)
        fields["sample"] = tuple(dict(row) for row in fields.get("sample", ()))
        fields["environment"] = tuple((str(key), str(value)) for key, value in fields.get("environment", ()))
        fields["features"] = tuple(fields.get("features", ()))
        return cls(**fields)


@dataclass(frozen=True)
class EndpointStatus:
    """An endpoint as it is now. `status`: creating, in_service, updating, failed or stopped.

    `model`, `version`, `digest` and `deployment_id` name what is (or, when stopped, was last) served; `started_at` is
    when that took over (UTC, ISO 8601); `counters` holds requests by outcome and latencies since then.
    """

    name: str
    url: str
    port: int
    status: str
    model: str | None = None
    version: int | None = None
    digest: str | None = None
    deployment_id: int | None = None
    pid: int | None = None
    error: str = ""
    started_at: str = ""
    counters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def serving(self) -> bool:
        """Does a version answer requests?"""
        return self.status in ("in_service", "updating")
