"""CloudWatch alarms that really ring: moto keeps them but never evaluates them.

Evaluation follows the CloudWatch user guide, "Using Amazon CloudWatch alarms" (M out of N data points, missing data).
Alarms on metric mathematics, on anomaly bands, and on percentiles of other metrics than those of endpoints are not
evaluated: they keep the state that they were given.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting.metrics import NAMESPACE

Own = Callable[[Scope, Mapping[str, str], str, str, float, float], float | None]
"""`Metrics.statistic`."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def missing(world: World, scope: Scope, names: Iterable[str]) -> list[str]:
    """Those names that no alarm has."""
    wanted = list(names)
    known = {alarm["AlarmName"] for alarm in _describe(world, scope, wanted)}
    return [name for name in wanted if name not in known]


def ringing(world: World, scope: Scope, names: Sequence[str], own: Own) -> str:
    """Bring the alarms up to date and name the first that is in ALARM; "" when none is.

    A state that somebody set by hand counts, as it does for SageMaker, until the evaluation overwrites it. `own` gives
    the metrics of endpoints that CloudWatch would have and moto has not.
    """
    found = _describe(world, scope, names)
    for alarm in found:
        if alarm.get("StateValue") == "ALARM":
            return str(alarm["AlarmName"])
    for alarm in found:
        if refresh(world, scope, alarm, own) == "ALARM":
            return str(alarm["AlarmName"])
    return ""


def refresh(world: World, scope: Scope, alarm: Document, own: Own) -> str:
    """Evaluate one alarm (as DescribeAlarms gives it) at the clock's time and keep its state; returns the state."""
    state = str(alarm.get("StateValue", "INSUFFICIENT_DATA"))
    values = _points(world, scope, alarm, own)
    if values is None:
        return state
    new = evaluate(alarm, values, state)
    if new != state:
        world.aws.client("cloudwatch", scope).set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue=new, StateReason=_reason(alarm, values, new)
        )
    return new


def evaluate(alarm: Document, values: Sequence[float | None], state: str) -> str:
    """The state that data points lead to: one a period, newest last, None where there is none (pure)."""
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    compare, threshold = _COMPARE[alarm["ComparisonOperator"]], alarm["Threshold"]
    breaching = [None if value is None else compare(value, threshold) for value in values]
    treat = alarm.get("TreatMissingData") or "missing"
    if treat in {"breaching", "notBreaching"}:
        filled = [treat == "breaching" if one is None else one for one in breaching]
        return "ALARM" if sum(filled) >= needed else "OK"
    real = [one for one in breaching if one is not None]
    if sum(real) >= needed:
        return "ALARM"
    if treat == "ignore":
        return state if not real or (len(real) < needed and all(real)) else "OK"
    if not real:
        return "INSUFFICIENT_DATA"
    # With fewer points than needed, all of them breaching, the oldest must be as old as the number that is needed.
    oldest = len(breaching) - breaching.index(real[0])
    return "ALARM" if all(real) and len(real) < needed and oldest >= needed else "OK"


def _describe(world: World, scope: Scope, names: Sequence[str]) -> list[Document]:
    if not names:
        return []
    found = world.aws.client("cloudwatch", scope).describe_alarms(
        AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]


def _points(world: World, scope: Scope, alarm: Document, own: Own) -> list[float | None] | None:
    """The statistic over each of the last whole periods; None when this alarm cannot be computed."""
    statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    if not alarm.get("MetricName") or not statistic or alarm.get("ComparisonOperator") not in _COMPARE:
        return None
    period = int(alarm["Period"])
    end = math.floor(world.now() / period) * period
    starts = [end - number * period for number in range(int(alarm["EvaluationPeriods"]), 0, -1)]
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or []}
    if alarm["Namespace"] == NAMESPACE and ("EndpointConfigName" in dimensions or "Statistic" not in alarm):
        try:
            return [own(scope, dimensions, alarm["MetricName"], statistic, at, at + period) for at in starts]
        except ValueError:
            return None
    if "Statistic" not in alarm:
        return None
    return _from_moto(world, scope, alarm, starts)


def _from_moto(world: World, scope: Scope, alarm: Document, starts: Sequence[float]) -> list[float | None]:
    """GetMetricData: other than GetMetricStatistics it takes the dimensions exactly, as CloudWatch does."""
    metric = {name: alarm.get(name) or [] for name in ("Namespace", "MetricName", "Dimensions")}
    period = int(alarm["Period"])
    found = world.aws.client("cloudwatch", scope).get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": period, "Stat": alarm["Statistic"]}}],
        StartTime=datetime.fromtimestamp(starts[0], UTC),
        EndTime=datetime.fromtimestamp(starts[-1] + period, UTC),
    )["MetricDataResults"][0]
    values = {when.timestamp(): value for when, value in zip(found["Timestamps"], found["Values"], strict=True)}
    return [values.get(at) for at in starts]


def _reason(alarm: Document, values: Sequence[float | None], state: str) -> str:
    told = ", ".join("missing" if value is None else f"{value:g}" for value in values)
    return f"Threshold {alarm['Threshold']:g}, datapoints [{told}]: {state}."
