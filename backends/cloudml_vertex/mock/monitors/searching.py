"""Model monitoring v2: what the jobs found, by statistic and by alert."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import not_executed
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.monitors import model_monitors
from cloudml_vertex.mock.monitors.model_monitors import STATS
from cloudml_vertex.mock.monitors.monitoring_jobs import interval, when


def _rows(call: Call, span: Document) -> list[Document]:
    """The statistics of the monitor in the interval, newest first."""
    monitor = model_monitors.found(call, names.canonical(call.world, call.params["model_monitor"]))
    first, last = interval(span)
    rows = [row for row in call.table(STATS) if row["_monitor"] == monitor["name"] and first <= when(row) <= last]
    rows.reverse()
    return sorted(rows, key=when, reverse=True)


def _is_wanted(call: Call, row: Document, given: Document) -> bool:
    """Whether a statistic fits what is set of stats_name, objective_type, algorithm, job and schedule."""
    if given.get("objective_type") == "feature-attribution":
        raise not_executed("feature-attribution", "ask for raw-feature-drift or prediction-output-drift")
    point = row["point"]
    pairs = (
        ("stats_name", row["stats_name"]),
        ("objective_type", row["objective_type"]),
        ("algorithm", point["algorithm"]),
        ("model_monitoring_job", point["model_monitoring_job"]),
        ("model_monitoring_schedule", point.get("schedule", "")),
    )
    return all(not given.get(key) or names.canonical(call.world, given[key]) == value for key, value in pairs)


@rpc("ModelMonitoringService.SearchModelMonitoringStats")
def search_stats(call: Call) -> Document:
    """One entry for each statistic and objective, its points in reverse time order."""
    given = call.params.get("stats_filter", {}).get("tabular_stats_filter", {})
    series: dict[tuple[str, str], list[Document]] = {}
    for row in _rows(call, call.params.get("time_interval", {})):
        if _is_wanted(call, row, given):
            series.setdefault((row["stats_name"], row["objective_type"]), []).append(row["point"])
    found = [
        {"tabular_stats": {"stats_name": name, "objective_type": objective, "data_points": points}}
        for (name, objective), points in sorted(series.items())
    ]
    return page(call, found, "monitoring_stats")


@rpc("ModelMonitoringService.SearchModelMonitoringAlerts")
def search_alerts(call: Call) -> Document:
    """Statistics above their threshold, newest first."""
    keys = ("stats_name", "objective_type", "model_monitoring_job")
    given = {key: call.params[key] for key in keys if key in call.params}
    rows = _rows(call, call.params.get("alert_time_interval", {}))
    alerts = [_alert(row) for row in rows if row["point"].get("has_anomaly") and _is_wanted(call, row, given)]
    return {**page(call, alerts, "model_monitoring_alerts"), "total_number_alerts": len(alerts)}


def _alert(row: Document) -> Document:
    point = row["point"]
    deviation = point["current_stats"]["distribution_value"]["distribution_deviation"]
    anomaly = {
        "summary": f"{row['stats_name']}: {point['algorithm']} of {deviation:g} exceeds {point['threshold_value']:g}.",
        "trigger_time": point["create_time"],
        "condition": {"threshold": point["threshold_value"]},
    }
    return {
        "stats_name": row["stats_name"],
        "objective_type": row["objective_type"],
        "alert_time": point["create_time"],
        "anomaly": {
            "tabular_anomaly": anomaly,
            "model_monitoring_job": point["model_monitoring_job"],
            "algorithm": point["algorithm"],
        },
    }
