"""Guards become CloudWatch alarms, which roll a deployment back. What an alarm cannot say is refused.

Metrics, their units and statistics: developer guide, "Amazon SageMaker metrics in Amazon CloudWatch". SageMaker's
metrics of a variant count the old fleet and the new one together ("Auto-rollback configuration and monitoring").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml_sagemaker import names
from cloudml_sagemaker.compile.context import Document
from cloudml_sagemaker.target import Place

MOST_ALARMS = 10
"""AutoRollbackConfiguration takes no more."""
MINUTE = 60
DAY, WEEK = 86_400, 604_800
"""The longest time that an alarm evaluates; a week from periods of an hour on (PutMetricAlarm, EvaluationPeriods)."""

_MISSING = {"hold": "missing", "pass": "notBreaching", "fail": "breaching"}
_COMPARE = {"above": "GreaterThanThreshold", "below": "LessThanThreshold"}


@dataclass(frozen=True)
class _Metric:
    """Where the numbers of a guard come from; a limit times `scale` is a threshold. `per_core`: and times the cores."""

    name: str
    statistic: str
    scale: float = 1.0
    namespace: str = "AWS/SageMaker"
    per_core: bool = False


_LATENCY = {
    f"latency_{one}": _Metric("ModelLatency", one, 1000.0)  # microseconds
    for one in ("p50", "p90", "p95", "p99")
}
_METRICS: dict[str, _Metric] = {
    # One is sent for an invocation with such an error and zero for any other, so that the average is the rate.
    "error_rate": _Metric("Invocation5XXErrors", "Average"),
    "client_error_rate": _Metric("Invocation4XXErrors", "Average"),
    # The sum over all cores, in percent.
    "cpu": _Metric("CPUUtilization", "Average", 100.0, "/aws/sagemaker/Endpoints", per_core=True),
    **_LATENCY,
}
_UNSEEN = {
    "score_psi": "SageMaker has no metric of what a model answers",
    "score_mean_shift": "SageMaker has no metric of what a model answers",
    "disagreement": "SageMaker has no metric of what two versions answer to the same request",
}


@dataclass(frozen=True)
class Guarded:
    """The endpoint that guards belong to."""

    place: Place
    endpoint: spec.Endpoint
    name: str
    """In the account."""
    variant: str
    cores: int
    tags: dict[str, str]

    @property
    def where(self) -> str:
        """For findings."""
        return f"endpoint {self.endpoint.name}"


def alarm_names(guarded: Guarded) -> list[str]:
    """One for each guard: by its metric, numbered from the second of the same metric on."""
    found: list[str] = []
    metrics = [guard.metric for guard in guarded.endpoint.rollout.guards]
    for at, metric in enumerate(metrics):
        number = metrics[:at].count(metric)
        label = f"{guarded.endpoint.name}-{metric.replace('_', '-')}" + (f"-{number + 1}" if number else "")
        found.append(names.resource(guarded.place.project, guarded.place.target, label))
    return found


def alarms(guarded: Guarded) -> list[Document]:
    """The PutMetricAlarm requests, in the order of the guards; only of those that nothing is found against."""
    guards = guarded.endpoint.rollout.guards
    named = zip(alarm_names(guarded), guards, strict=True)
    return [_alarm(guarded, name, guard) for name, guard in named if not list(_problems(guard))]


def findings(guarded: Guarded, bake: int) -> Iterator[Diagnostic]:
    """What cannot be watched so; `bake`: seconds that a deployment waits in all."""
    guards = guarded.endpoint.rollout.guards
    if len(guards) > MOST_ALARMS:
        message = f"it has {len(guards)} guards, and SageMaker watches {MOST_ALARMS} alarms"
        yield Diagnostic("CML346", guarded.where, message, "leave some out")
    for guard in guards:
        where = f"{guarded.where} guard {guard.metric}"
        for message, hint in _problems(guard):
            yield Diagnostic("CML346", where, message, hint)
        needed = math.ceil(guard.window) * guard.consecutive
        if not list(_problems(guard)) and bake < needed:
            message = f"it needs {needed} s to ring, and the rollout is watched for {bake} s"
            hint = f"bake for {needed} s or longer, or take a shorter window: SageMaker looks at alarms while it bakes"
            yield Diagnostic("CML346", where, message, hint)


def _problems(guard: spec.Guard) -> Iterator[tuple[str, str]]:
    if guard.metric in _UNSEEN:
        yield _UNSEEN[guard.metric], "leave it out for this target, and judge the version before: ml.verify"
    if guard.relative_to is not None:
        yield (
            "SageMaker's metrics count the old and the new version together, so the two cannot be compared",
            "give a limit of its own, without relative_to",
        )
    if guard.severity == "pause":
        yield "SageMaker cannot pause a rollout, it goes back", "leave `severity` at 'rollback'"
    if guard.window % MINUTE or guard.window < MINUTE:
        yield f"its window is {guard.window:g} s, and alarms count whole minutes", "write a window such as '5m'"
    elif guard.window * guard.consecutive > (WEEK if guard.window >= 3600 else DAY):
        yield "window times consecutive is longer than an alarm looks back (a day)", "take less"
    if guard.metric == "custom":
        yield from _query_problems(guard)


def _query_problems(guard: spec.Guard) -> Iterator[tuple[str, str]]:
    query = (guard.query or "").strip()
    if not query.upper().startswith("SELECT "):
        yield (
            "its query is not one that an alarm can watch by itself",
            "write a Metrics Insights query: SELECT AVG(metric) FROM SCHEMA(…) WHERE EndpointName = '{endpoint}'",
        )
    elif " GROUP BY " in f" {query.upper()} ":
        yield "its query gives several series, and an alarm watches one", "leave GROUP BY out"
    if guard.min_samples > 1:
        yield "CloudWatch does not count the samples behind a query", "write min_samples=0"


def _alarm(guarded: Guarded, name: str, guard: spec.Guard) -> Document:
    metric = _METRICS.get(guard.metric)
    found: Document = {
        "AlarmName": name,
        "AlarmDescription": (
            f"cloudml: {guard.metric} {guard.direction} {guard.limit:g} takes a new version of endpoint "
            f"{guarded.endpoint.name} back"
        ),
        "ComparisonOperator": _COMPARE[guard.direction],
        "Threshold": float(guard.limit) if metric is None else _threshold(metric, guard, guarded.cores),
        "EvaluationPeriods": guard.consecutive,
        "TreatMissingData": _MISSING[guard.no_data],
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(guarded.tags.items())],
    }
    if metric is None:
        query = (guard.query or "").replace("{endpoint}", guarded.name).replace("{variant}", guarded.variant)
        return {**found, "Metrics": [_expression("query", query, period=int(guard.window))]}
    if guard.min_samples > 1:
        return {**found, "Metrics": _counted(guarded, metric, guard)}
    kind = "ExtendedStatistic" if metric.statistic.startswith("p") else "Statistic"
    return {**found, **_source(guarded, metric), "Period": int(guard.window), kind: metric.statistic}


def _threshold(metric: _Metric, guard: spec.Guard, cores: int) -> float:
    return float(guard.limit) * metric.scale * (cores if metric.per_core else 1)


def _source(guarded: Guarded, metric: _Metric) -> Document:
    dimensions = {"EndpointName": guarded.name, "VariantName": guarded.variant}
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }


def _counted(guarded: Guarded, metric: _Metric, guard: spec.Guard) -> Sequence[Document]:
    """The metric where there were enough requests, and no data where not (metric math: IF without an else)."""

    def row(name: str, source: _Metric) -> Document:
        stat = {"Metric": _source(guarded, source), "Period": int(guard.window), "Stat": source.statistic}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    expression = f"IF(requests >= {guard.min_samples}, value)"
    return [
        _expression("guard", expression),
        row("value", metric),
        row("requests", _Metric("Invocations", "Sum")),
    ]


def _expression(name: str, expression: str, **more: int) -> Document:
    period = {"Period": more["period"]} if more else {}
    return {"Id": name, "Expression": expression, "ReturnData": True, **period}
