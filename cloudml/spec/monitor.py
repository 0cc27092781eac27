"""What is watched on a live endpoint, against what, and what follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cloudml.spec.node import Identifier, Name, NativeOption, Node, Seconds
from cloudml.spec.schedule import Retrain, Schedule


class Threshold(Node):
    """A limit on a statistic.

    `psi`: reference deciles, natural logarithm, shares floored at 1e-4, nulls a bin of their own.
    `js`: base-2 divergence. `ks`, `linf`: largest difference. `wasserstein`: W1 over the reference's deviation.
    `null_share`, `error_rate`: shares 0..1. `latency_p95`, `latency_p99`: milliseconds. `quality`: the metric `field`.
    """

    statistic: Literal[
        "psi", "js", "ks", "linf", "wasserstein", "null_share", "error_rate", "latency_p95", "latency_p99", "quality"
    ]
    limit: float
    direction: Literal["above", "below"] = "above"
    field: str | None = None
    min_samples: Annotated[int, Field(ge=0)] = 500


class Monitor(Node):
    """A scheduled check of an endpoint's captured traffic against a baseline."""

    name: Name
    schedule: Schedule
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1)]
    features: tuple[Identifier, ...] = ()
    window: Seconds = 86400.0
    alerts: tuple[Name, ...] = ()
    retrain: Retrain | None = None
    rollback: bool = False
    engine: Literal["portable", "native"] = "portable"
    native: tuple[NativeOption, ...] = ()
