"""Vertex AI's own monitoring from one declaration: made, followed over a swap, paused, resumed, changed, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vertex_monitor_lab import ENDPOINT, FOLDER, NUMBERS, PARENT, MonitorBench, until

from cloudml.runtime.drift import profile
from cloudml_vertex.container import google
from cloudml_vertex.container.control import native_baseline
from cloudml_vertex.container.google import call, pages
from cloudml_vertex.hosting import deployment_monitor, model_monitor, native_monitor
from cloudml_vertex.hosting.port import Failed

COLUMNS: dict[str, list[Any]] = {"age": [*NUMBERS, None], "plan": ["a", "b"] * 50 + [None]}


def document(engine: str, **more: Any) -> dict[str, Any]:
    """As `compile.native_monitors` writes it."""
    return {
        "engine": engine, "id": "samples-mock-made-monitor-drift", "display_name": "samples/mock/made/drift",
        "endpoint": "samples-mock-live", "parent": PARENT, "labels": {"cloudml-monitor": "drift"},
        "limits": {"js": 0.1, "linf": 0.2}, "interval": 3600, "window": 3600, "cron": "TZ=UTC 0 * * * *",
        "sample": 1.0, "emails": ["team@example.com"], "folder": FOLDER, **more,
    }  # fmt: skip


def data(bench: MonitorBench, native: dict[str, Any]) -> dict[str, Any]:
    profiles = {name: found for name, values in COLUMNS.items() if (found := profile(values)) is not None}
    return native_baseline.put(bench.store, native, COLUMNS, profiles)


def job(native: dict[str, Any]) -> dict[str, Any]:
    found = deployment_monitor.find(google, PARENT, native["display_name"])
    assert found is not None
    return found


def watched(native: dict[str, Any]) -> list[str]:
    return [one["deployed_model_id"] for one in job(native)[deployment_monitor.CONFIGS]]


def test_a_baseline_is_rows_of_json_named_by_their_content(bench: MonitorBench) -> None:
    native = document("v1")
    told = data(bench, native)
    assert told["kinds"] == {"age": "number", "plan": "category"}
    lines = [json.loads(line) for line in bench.store.get(told["baseline"]).splitlines()]
    assert (len(lines), lines[1], lines[-1]) == (101, {"age": 1.0, "plan": "b"}, {})
    assert data(bench, native) == told


def test_v1_watches_what_is_deployed_and_finds_skew(bench: MonitorBench) -> None:
    bench.deploy("11")
    native = document("v1")
    native_monitor.ensure(google, native, data(bench, native))
    assert watched(native) == ["11"]
    for _ in range(30):
        bench.ask({"age": 99.0, "plan": "a"})
    bench.mock.advance(3700)
    asked = {
        "model_deployment_monitoring_job": job(native)["name"], "deployed_model_id": "11",
        "objectives": [{"type": "RAW_FEATURE_SKEW"}],
    }  # fmt: skip

    def anomalies() -> int:
        found = bench.rest("POST", f"/v1/{job(native)['name']}:searchModelDeploymentMonitoringStatsAnomalies", asked)
        return sum(one.get("anomalyCount", 0) for one in found.get("monitoringStats", ()))

    until(lambda: anomalies() == 2)


def test_v1_follows_every_swap(bench: MonitorBench) -> None:
    """A job names what it looks at by the deployed model's id, so that one left alone would look at nothing."""
    bench.deploy("11")
    native = document("v1")
    told = data(bench, native)
    native_monitor.ensure(google, native, told)
    bench.deploy("12")
    # While both are there, before the old one goes:
    changed = native_monitor.follow(google, bench.endpoint(), leaving={"11"})
    assert changed == [job(native)["name"]]
    assert watched(native) == ["12"]
    bench.undeploy("11")
    assert native_monitor.follow(google, bench.endpoint()) == []
    # A job that nobody told of a swap is mended by the next run's monitor step.
    bench.deploy("13")
    assert "limits" in _differences(native, told)
    native_monitor.ensure(google, native, told)
    assert watched(native) == ["12", "13"]
    assert _differences(native, told) == []


def _differences(native: dict[str, Any], told: dict[str, Any]) -> list[str]:
    found = native_monitor.read(google, native, told)
    assert found is not None
    return [key for key in native if found[key] != native[key]]


@pytest.mark.parametrize(
    ("engine", "change"),
    [
        ("v1", {"limits": {"js": 0.3}}), ("v1", {"interval": 7200}), ("v1", {"emails": []}), ("v1", {"sample": 0.5}),
        ("v2", {"limits": {"js": 0.3}}), ("v2", {"cron": "TZ=UTC 0 6 * * *"}),
        ("v2", {"emails": ["other@example.com"]}),
    ],
)  # fmt: skip
def test_a_changed_declaration_is_brought_to_it(bench: MonitorBench, engine: str, change: dict[str, Any]) -> None:
    bench.deploy("11")
    native = document(engine)
    told = data(bench, native)
    native_monitor.ensure(google, native, told)
    assert _differences(native, told) == []
    changed = {**native, **change}
    assert _differences(changed, told) == list(change)
    native_monitor.ensure(google, changed, told)
    assert _differences(changed, told) == []


@pytest.mark.parametrize("engine", ["v1", "v2"])
def test_pause_resume_and_destroy(bench: MonitorBench, engine: str) -> None:
    bench.deploy("11")
    native = document(engine)
    native_monitor.ensure(google, native, data(bench, native))
    assert native_monitor.problem(google, native) == ""
    for _ in range(2):  # what is paused already stays so
        native_monitor.pause(google, native)
        assert "paused" in native_monitor.problem(google, native)
    for _ in range(2):
        native_monitor.resume(google, native)
        assert native_monitor.problem(google, native) == ""
    for _ in range(2):  # what is gone already is no error
        native_monitor.remove(google, PARENT, native["id"], native["display_name"])
        assert native_monitor.read(google, native, None) is None
    assert list(deployment_monitor.jobs(google, PARENT, "")) == []
    assert list(model_monitor.monitors(google, PARENT)) == []
    assert list(pages("v1beta1.ScheduleService.ListSchedules", "schedules", parent=PARENT)) == []


def test_v2_is_of_the_version_that_is_served_and_follows_it(bench: MonitorBench) -> None:
    first = bench.deploy("11")
    native = document("v2")
    native_monitor.ensure(google, native, data(bench, native))
    assert _target(native)["model_version_id"] == first
    assert bench.endpoint()[model_monitor.LOGGING]["enabled"] is True
    second = bench.deploy("12")
    (changed,) = native_monitor.follow(google, bench.endpoint(), leaving={"11"})
    assert changed.rpartition("/")[2] == native["id"]
    assert _target(native)["model_version_id"] == second
    assert native_monitor.follow(google, bench.endpoint()) == []


def _target(native: dict[str, Any]) -> dict[str, Any]:
    found = model_monitor.find(google, PARENT, native["id"])
    assert found is not None
    target: dict[str, Any] = found["model_monitoring_target"]["vertex_model"]
    return target


def test_v2_s_schedule_finds_drift(bench: MonitorBench) -> None:
    bench.deploy("11")
    native = document("v2")
    native_monitor.ensure(google, native, data(bench, native))
    for _ in range(30):
        bench.ask({"age": 99.0, "plan": "a"})
    bench.mock.advance(3700)
    rpc = f"/v1beta1/{PARENT}/modelMonitors/{native['id']}/modelMonitoringJobs"
    until(lambda: _states(bench, rpc) == ["JOB_STATE_SUCCEEDED"])
    alerts = f"/v1beta1/{PARENT}/modelMonitors/{native['id']}:searchModelMonitoringAlerts"
    found = bench.rest("POST", alerts, {"modelMonitor": f"{PARENT}/modelMonitors/{native['id']}"})
    assert {one["statsName"] for one in found["modelMonitoringAlerts"]} == {"age", "plan"}


def _states(bench: MonitorBench, path: str) -> list[str]:
    return [one["state"] for one in bench.rest("GET", path).get("modelMonitoringJobs", ())]


@pytest.mark.parametrize("engine", ["v1", "v2"])
def test_an_endpoint_that_is_not_there_or_empty_is_told(bench: MonitorBench, engine: str) -> None:
    native = document(engine)
    told = data(bench, native)
    with pytest.raises(Failed, match="run the pipeline"):
        native_monitor.ensure(google, native, told)
    call("EndpointService.CreateEndpoint", parent=PARENT, endpoint={"display_name": "live"},
         endpoint_id=ENDPOINT.rpartition("/")[2])  # fmt: skip
    with pytest.raises(Failed, match="serves nothing"):
        native_monitor.ensure(google, native, told)


def test_limits_that_no_column_has_are_told(bench: MonitorBench) -> None:
    bench.deploy("11")
    native = document("v1", limits={"js": 0.1})
    told = {**data(bench, native), "kinds": {"plan": "category"}}
    with pytest.raises(Failed, match="no feature has a limit"):
        native_monitor.ensure(google, native, told)
