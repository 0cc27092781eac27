"""SageMaker Metrics: points of trial components, put and read back aggregated (sagemaker-metrics API reference)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.tracking.records import COMPONENT

METRICS = "_Metrics"
LIMIT = 100
"""Points of one answer."""

_SECONDS = {"OneMinute": 60, "FiveMinute": 300, "OneHour": 3600}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Min": min,
    "Max": max,
    "Avg": statistics.fmean,
    "Count": len,
    "StdDev": statistics.pstdev,
    "Last": lambda values: values[-1],
}


@operation("BatchPutMetrics", service="sagemaker-metrics", executes="the points can be read by BatchGetMetrics")
def batch_put_metrics(call: Call) -> Parameters:
    """Each point is taken or refused on its own."""
    component = call.table(COMPONENT.name).get(call.params["TrialComponentName"])
    errors: list[Document] = []
    for index, datum in enumerate(call.params["MetricData"]):
        if component is None or not math.isfinite(datum["Value"]):
            errors.append({"Code": "VALIDATION_ERROR", "MetricIndex": index})
        else:
            _keep(call, component, datum)
    return {"Errors": errors} if errors else {}


def _keep(call: Call, component: Document, datum: Document) -> None:
    arn, name = component["TrialComponentArn"], datum["MetricName"]
    table = call.table(METRICS)
    series = table.get(f"{arn} {name}") or {"points": []}
    series["points"].append([datum["Timestamp"], datum.get("Step"), datum["Value"]])
    table.put(f"{arn} {name}", series)
    rows = [row for row in component.get("Metrics") or [] if row["MetricName"] != name]
    values = [point[2] for point in series["points"]]
    told = {stat: round(compute(values), 12) for stat, compute in _STATISTICS.items()}
    rows.append({"MetricName": name, "SourceArn": arn, "TimeStamp": datum["Timestamp"], **told, "Count": len(values)})
    component["Metrics"] = rows
    call.table(COMPONENT.name).put(component["TrialComponentName"], component)


@operation("BatchGetMetrics", service="sagemaker-metrics")
def batch_get_metrics(call: Call) -> Parameters:
    """A result for each query, in order."""
    return {"MetricQueryResults": [_result(call, query) for query in call.params["MetricQueries"]]}


def _result(call: Call, query: Document) -> Document:
    by_step = query["XAxisType"] == "IterationNumber"
    if by_step != (query["Period"] == "IterationNumber"):
        problem = "Period IterationNumber and XAxisType IterationNumber belong together."
        return {"Status": "ValidationError", "Message": problem, "XAxisValues": [], "MetricValues": []}
    series = call.table(METRICS).get(f"{query['ResourceArn']} {query['MetricName']}") or {"points": []}
    groups: dict[int, list[float]] = {}
    for when, step, value in sorted(series["points"], key=lambda point: point[0]):
        place = step if by_step else int(when // _SECONDS[query["Period"]] * _SECONDS[query["Period"]])
        if place is not None and query.get("Start", place) <= place <= query.get("End", place):
            groups.setdefault(place, []).append(value)
    places = sorted(groups)
    shown = places[:LIMIT]
    compute = _STATISTICS[query["MetricStat"]]
    return {
        "Status": "Truncated" if len(places) > LIMIT else "Complete",
        "XAxisValues": shown,
        "MetricValues": [float(compute(groups[place])) for place in shown],
    }
