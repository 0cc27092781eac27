"""What the server knows about itself: its phase, its identity, its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cloudml.serving.schema import FeatureSchema
from cloudml.serving.telemetry import RequestCounters

Phase: TypeAlias = Literal["starting", "ready", "draining", "failed"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one server. Sizes in bytes, times in seconds, batches in rows."""

    max_body: int = 6 * 1024 * 1024
    max_batch: int = 1024
    request_timeout: float = 60.0


@dataclass
class ServerState:
    """Changed only by the server's own event loop."""

    model_name: str
    model_version: str
    phase: Phase = "ready"
    reason: str = ""
    schema: FeatureSchema = field(default_factory=FeatureSchema)
    counters: RequestCounters = field(default_factory=RequestCounters)
