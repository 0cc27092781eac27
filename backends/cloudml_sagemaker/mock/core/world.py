"""The mock's world: what every handler and every room works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Scope
from cloudml.mocks.world import BaseWorld
from cloudml_sagemaker.mock.core.aws import Aws


@dataclass(kw_only=True)
class World(BaseWorld):
    """One mock of AWS."""

    aws: Aws
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """What stands for Lambda functions from the start, by name or ARN."""

    def call(self, scope: Scope, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call an operation as AWS's own services do: validated and handled like any request, no faults of the API.

        Raises AwsError.
        """
        from cloudml_sagemaker.mock.core.dispatch import serve

        return serve(self, scope, name, params)


def iso(seconds: float) -> str:
    """A time as AWS writes it in texts: `2026-11-23T10:15:30.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
