"""An online endpoint: capacity, capture, and how a new version takes over. Weights are percent, rates shares 0..1."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from cloudml.spec.compute import EnvironmentVariable, Resources
from cloudml.spec.node import Identifier, Name, NativeOption, Node, Positive, Seconds, Share, Tag

GuardMetric: TypeAlias = Literal[
    "error_rate",
    "client_error_rate",
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p99",
    "cpu",
    "score_psi",
    "score_mean_shift",
    "disagreement",
    "custom",
]


class RolloutStep(Node):
    """Shift `weight` percent of traffic to the new version and watch it for `bake` seconds."""

    weight: Annotated[float, Field(gt=0, le=100)]
    bake: Seconds = 0.0
    min_samples: Annotated[int, Field(ge=0)] = 0
    approval: bool = False


class Guard(Node):
    """A limit that the new version must keep; latencies in milliseconds, rates as shares.

    With `relative_to="stable"` the limit is a ratio to the version in service. Fewer than `min_samples`
    observations are never a success: `no_data` says whether to hold, pass or fail.
    """

    metric: GuardMetric
    limit: float
    direction: Literal["above", "below"] = "above"
    relative_to: Literal["stable"] | None = None
    window: Seconds = 300.0
    min_samples: Annotated[int, Field(ge=0)] = 100
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    consecutive: Positive = 1
    no_data: Literal["hold", "pass", "fail"] = "hold"
    severity: Literal["rollback", "pause"] = "rollback"
    query: str | None = None


class Shadow(Node):
    """Send a copy of `sample` percent of requests to the new version before it answers anyone."""

    sample: Annotated[float, Field(gt=0, le=100)] = 100.0
    duration: Seconds = 3600.0
    min_samples: Annotated[int, Field(ge=0)] = 500


class Rollout(Node):
    """How traffic moves from blue to green. The default is all at once, after green is ready."""

    steps: Annotated[tuple[RolloutStep, ...], Field(min_length=1)] = (RolloutStep.model_construct(weight=100),)
    final_bake: Seconds = 0.0
    guards: tuple[Guard, ...] = ()
    shadow: Shadow | None = None
    rollback: bool = True
    routing: Literal["request", "sticky"] = "request"
    sticky_header: str | None = None
    engine: Literal["auto", "native", "controlled"] = "auto"
    provision_timeout: Seconds = 1800.0
    max_duration: Seconds = 14400.0

    @model_validator(mode="after")
    def _rises_to_all(self) -> Self:
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError("the weights of a rollout must rise from step to step")
        if weights[-1] != 100:
            raise ValueError("the last step of a rollout must have weight 100")
        return self


class Scaling(Node):
    """Between `minimum` and `maximum` copies, aiming at `target_requests` a second for each."""

    minimum: Annotated[int, Field(ge=0)] = 1
    maximum: Positive = 1
    target_requests: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.maximum < self.minimum:
            raise ValueError("maximum must not be below minimum")
        return self


class Capture(Node):
    """Keep a share of requests and answers for monitoring."""

    sample: Share = 1.0


class Endpoint(Node):
    """A named place that answers predictions; every deploy to it is a blue-green update."""

    name: Name
    resources: Resources = Resources.model_construct()
    scaling: Scaling = Scaling.model_construct()
    rollout: Rollout = Rollout.model_construct()
    capture: Capture | None = None
    environment: tuple[EnvironmentVariable, ...] = ()
    request_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    features: tuple[Identifier, ...] = ()
    tags: tuple[Tag, ...] = ()
    native: tuple[NativeOption, ...] = ()
