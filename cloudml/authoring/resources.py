"""Endpoints, rollouts, monitors and alert channels: friendly makers of the spec's nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cloudml.authoring.deferred import Deferred, duration, node_of
from cloudml.authoring.location import Location, caller
from cloudml.authoring.options import environment as environment_nodes
from cloudml.authoring.options import native as native_nodes
from cloudml.authoring.options import resource_fields, resources_node
from cloudml.authoring.options import tags as tag_nodes
from cloudml.authoring.refusal import make, refusal
from cloudml.authoring.unmade import in_a_job_when_needed

if TYPE_CHECKING:
    from cloudml import spec


@in_a_job_when_needed
def Endpoint(  # noqa: N802 - reads as the noun it makes
    name: str,
    *,
    cpu: float | None = None,
    memory: int | str | None = None,
    gpu: int | None = None,
    gpu_type: str | None = None,
    instances: int | tuple[int, int] = 1,
    target_requests: float | None = None,
    rollout: spec.Rollout | None = None,
    capture: bool | float | spec.Capture | None = None,
    environment: Mapping[str, str] | None = None,
    request_timeout: float | str = 60.0,
    features: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    native: Mapping[str, Mapping[str, Any]] | None = None,
) -> spec.Endpoint:
    """A named place that answers predictions: `CHURN = ml.Endpoint("churn", cpu=2, instances=(1, 4))`.

    `instances` is a number, or the least and the most; `capture` the share of requests kept for monitoring (True: all).
    """
    from cloudml import spec

    where = caller()
    if features and isinstance(features, str):
        raise refusal("CML122", f"features={features!r} is text, not a list", f"write features=({features!r},)", where)
    sizes = {"cpu": cpu, "memory": memory, "gpu": gpu, "gpu_type": gpu_type}
    return make(
        spec.Endpoint,
        where,
        f"endpoint {name!r}",
        name=name,
        resources=resources_node(resource_fields(sizes, where), where),
        scaling=_scaling(instances, target_requests, where),
        rollout=rollout or spec.Rollout(),
        capture=_capture(capture, where),
        environment=environment_nodes(environment or {}, where),
        request_timeout=duration(request_timeout, "request_timeout", where),
        features=tuple(features),
        tags=tag_nodes(tags or {}, where),
        native=native_nodes(native or {}, where),
    )


def _scaling(instances: Any, target: float | None, where: Location) -> spec.Scaling:
    from cloudml.spec import Scaling

    least, most = instances if isinstance(instances, (tuple, list)) and len(instances) == 2 else (instances, instances)
    return make(Scaling, where, "instances", minimum=least, maximum=most, target_requests=target)


def _capture(given: Any, where: Location) -> spec.Capture | None:
    from cloudml.spec import Capture

    if given is None or given is False:
        return None
    if isinstance(given, Capture):
        return given
    return make(Capture, where, "capture", sample=1.0 if given is True else given)


@in_a_job_when_needed
def all_at_once(*, guards: Sequence[spec.Guard] = (), bake: float | str = 0) -> spec.Rollout:
    """All traffic moves when the new version is ready; it is watched for `bake` afterwards."""
    return _rollout([100], 0.0, guards, final=bake)


@in_a_job_when_needed
def canary(
    weights: Sequence[float],
    *,
    bake: float | str,
    guards: Sequence[spec.Guard] = (),
    min_samples: int = 0,
    approval: bool = False,
) -> spec.Rollout:
    """Traffic moves in the given percents, the last of them 100: `ml.canary([10, 50, 100], bake="30m")`."""
    return _rollout(list(weights), bake, guards, min_samples=min_samples, approval=approval)


@in_a_job_when_needed
def linear(step: float, *, bake: float | str, guards: Sequence[spec.Guard] = (), min_samples: int = 0) -> spec.Rollout:
    """Traffic moves in equal steps: `ml.linear(20, bake="10m")` gives 20, 40, 60, 80, 100 percent."""
    if isinstance(step, bool) or not 0 < step <= 100:
        raise refusal(
            "CML122",
            f"a step of {step!r} percent",
            "write a percentage above 0 and at most 100: ml.linear(20, bake='10m')",
            caller(),
        )
    count = int(-(-100 // step))
    return _rollout([min(100, step * number) for number in range(1, count + 1)], bake, guards, min_samples=min_samples)


def _rollout(
    weights: list[float],
    bake: float | str,
    guards: Sequence[spec.Guard],
    *,
    final: float | str = 0,
    min_samples: int = 0,
    approval: bool = False,
) -> spec.Rollout:
    from cloudml import spec

    where = caller()
    wait = duration(bake, "bake", where)
    steps = tuple(
        make(spec.RolloutStep, where, "rollout", weight=weight, bake=wait, min_samples=min_samples, approval=approval)
        for weight in weights
    )
    return make(
        spec.Rollout, where, "rollout", steps=steps, guards=tuple(guards), final_bake=duration(final, "bake", where)
    )


@in_a_job_when_needed
def guard(
    metric: str,
    *,
    above: float | None = None,
    below: float | None = None,
    relative_to: Literal["stable"] | None = None,
    window: float | str = "5m",
    **more: Any,
) -> spec.Guard:
    """A limit that a new version must keep: `ml.guard("error_rate", above=0.01)`. Latencies are milliseconds."""
    from cloudml import spec

    where = caller()
    limit, direction = _limit("ml.guard", metric, above, below, where)
    fields = {"metric": metric, "limit": limit, "direction": direction, "relative_to": relative_to, **more}
    return make(spec.Guard, where, "ml.guard", window=duration(window, "window", where), **fields)


@in_a_job_when_needed
def threshold(
    statistic: str,
    *,
    above: float | None = None,
    below: float | None = None,
    field: str | None = None,
    min_samples: int = 500,
) -> spec.Threshold:
    """A limit on a statistic of live traffic: `ml.threshold("psi", above=0.2)`."""
    from cloudml import spec

    where = caller()
    limit, direction = _limit("ml.threshold", statistic, above, below, where)
    fields = {
        "statistic": statistic,
        "limit": limit,
        "direction": direction,
        "field": field,
        "min_samples": min_samples,
    }
    return make(spec.Threshold, where, "ml.threshold", **fields)


def _limit(verb: str, what: str, above: float | None, below: float | None, where: Location) -> tuple[float, str]:
    if above is not None and below is None:
        return above, "above"
    if below is not None and above is None:
        return below, "below"
    count = "two limits" if above is not None else "no limit"
    raise refusal("CML122", f"{verb}({what!r}) has {count}", f"write {verb}({what!r}, above=0.01) or below=", where)


@in_a_job_when_needed
def Monitor(  # noqa: N802 - reads as the noun it makes
    name: str,
    *,
    schedule: Deferred | spec.Cron | spec.Every,
    thresholds: Sequence[spec.Threshold],
    features: Sequence[str] = (),
    window: float | str = "1d",
    alerts: Sequence[spec.Alert | str] = (),
    retrain: spec.Retrain | bool = False,
    rollback: bool = False,
    engine: Literal["portable", "native"] = "portable",
    native: Mapping[str, Mapping[str, Any]] | None = None,
) -> spec.Monitor:
    """A scheduled check of an endpoint's captured traffic. Its alerts also stand in `@ml.pipeline(alerts=[...])`."""
    from cloudml import spec

    where = caller()
    return make(
        spec.Monitor,
        where,
        f"monitor {name!r}",
        name=name,
        schedule=node_of(schedule),
        thresholds=tuple(thresholds),
        features=tuple(features),
        window=duration(window, "window", where),
        alerts=tuple(one if isinstance(one, str) else one.name for one in alerts),
        retrain=spec.Retrain() if retrain is True else retrain or None,
        rollback=rollback,
        engine=engine,
        native=native_nodes(native or {}, where),
    )


@in_a_job_when_needed
def retrain(
    *, cooldown: float | str = "1d", limit: int | None = None, period: float | str | None = None
) -> spec.Retrain:
    """Start the pipeline again when a monitor trips; not sooner than `cooldown`, at most `limit` times in `period`."""
    from cloudml import spec

    where = caller()
    span = None if period is None else duration(period, "period", where)
    return make(
        spec.Retrain, where, "ml.retrain", cooldown=duration(cooldown, "cooldown", where), limit=limit, period=span
    )


def _alert(channel: str, name: str, target: Any) -> spec.Alert:
    from cloudml import spec
    from cloudml.authoring.references import Simple

    where = caller()
    if isinstance(target, Simple):
        if target._kind != "SecretRef":
            raise refusal(
                "CML123",
                f"the address of an alert is text or a secret, not {target._label}",
                "write ml.secret('NAME')",
                where,
            )
        target = spec.SecretRef(**target._fields_)
    return make(spec.Alert, where, f"alert {name!r}", name=name, channel=channel, target=target)


@in_a_job_when_needed
def slack(name: str, target: Any) -> spec.Alert:
    """A Slack channel: `ml.slack("team", ml.secret("SLACK_URL"))`."""
    return _alert("slack", name, target)


@in_a_job_when_needed
def email(name: str, target: Any) -> spec.Alert:
    """Mail to an address, or several with commas between them."""
    return _alert("email", name, target)


@in_a_job_when_needed
def webhook(name: str, target: Any) -> spec.Alert:
    """A POST of JSON to a URL."""
    return _alert("webhook", name, target)


@in_a_job_when_needed
def pagerduty(name: str, target: Any) -> spec.Alert:
    """PagerDuty, by routing key."""
    return _alert("pagerduty", name, target)


@in_a_job_when_needed
def log_alert(name: str = "log") -> spec.Alert:
    """A line in the log: for trying out, and where nobody need be woken."""
    return _alert("log", name, None)
