"""Model monitoring v2: monitors of model versions, jobs that compare two datasets, statistics and alerts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudml_vertex.mock.core import notices
from cloudml_vertex.mock.core.times import stamp
from tests.unit.vertex_mock.around.vertex_around import PROJECT, T0, mask
from tests.unit.vertex_mock.monitors.vertex_monitoring import BUCKET, HOUR, PARENT, MonitorLab, csv

SERVICE = "ModelMonitoringService"
SCHEMA = {
    "feature_fields": [{"name": "plan", "data_type": "categorical"}, {"name": "age", "data_type": "integer"}],
    "prediction_fields": [{"name": "score", "data_type": "float"}],
}
BASELINE = csv({"plan": "a", "age": 0, "score": 0.0}, {"plan": "b", "age": 10, "score": 1.0})
TARGET = csv({"plan": "a", "age": 0, "score": 0.0}, {"plan": "a", "age": 10, "score": 0.0})


def gcs_data(name: str, format_: str = "CSV", **more: Any) -> dict[str, Any]:
    return {"columnized_dataset": {"gcs_source": {"gcs_uri": f"{BUCKET}/{name}", "format_": format_}, **more}}


def features(**more: Any) -> dict[str, Any]:
    return {"feature_drift_spec": {"default_categorical_alert_condition": {"threshold": 0.3}, **more}}


def monitor(**more: Any) -> dict[str, Any]:
    target = {"vertex_model": {"model": f"{PARENT}/models/m", "model_version_id": "1"}}
    return {"display_name": "w", "model_monitoring_target": target, "model_monitoring_schema": SCHEMA, **more}


def call(lab: MonitorLab, rpc: str, **params: Any) -> dict[str, Any]:
    return lab.call(f"{SERVICE}.{rpc}", "v1beta1", **params)


def make(lab: MonitorLab, **more: Any) -> str:
    lab.put("base.csv", BASELINE)
    lab.put("new.csv", TARGET)
    begun = call(lab, "CreateModelMonitor", parent=PARENT, model_monitor=monitor(**more), model_monitor_id="w-1")
    return str(lab.done(begun)["name"])


def run(lab: MonitorLab, name: str, tabular: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The job that ended."""
    notification, output = more.pop("notification_spec", None), more.pop("output_spec", None)
    objective = {"baseline_dataset": gcs_data("base.csv"), "target_dataset": gcs_data("new.csv"), **more}
    if tabular is not None:
        objective["tabular_objective"] = tabular
    spec: dict[str, Any] = {"objective_spec": objective}
    if notification:
        spec["notification_spec"] = notification
    if output:
        spec["output_spec"] = output
    made = call(lab, "CreateModelMonitoringJob", parent=name, model_monitoring_job={"model_monitoring_spec": spec})
    assert made["state"] == "JOB_STATE_PENDING"
    lab.advance(0)
    return call(lab, "GetModelMonitoringJob", name=made["name"])


def stats(lab: MonitorLab, name: str, **given: str) -> dict[tuple[str, str], list[float]]:
    """Deviations by objective and statistic, newest first."""
    filter_ = {"stats_filter": {"tabular_stats_filter": given}} if given else {}
    found = call(lab, "SearchModelMonitoringStats", model_monitor=name, **filter_)
    rows = [row["tabular_stats"] for row in found.get("monitoring_stats", [])]
    return {
        (row["objective_type"], row["stats_name"]): [
            point["current_stats"]["distribution_value"].get("distribution_deviation", 0.0)
            for point in row["data_points"]
        ]
        for row in rows
    }


FEATURE, OUTPUT = "raw-feature-drift", "prediction-output-drift"


def test_drift_of_features_and_outputs(lab: MonitorLab) -> None:
    name = make(lab)
    done = run(lab, name, {**features(), "prediction_output_drift_spec": {}})
    assert done["state"] == "JOB_STATE_SUCCEEDED"
    assert set(done["job_execution_detail"]["objective_status"]) == {FEATURE, OUTPUT}
    assert done["job_execution_detail"]["target_datasets"] == [{"location": f"{BUCKET}/new.csv"}]
    found = stats(lab, name)
    assert found[FEATURE, "plan"] == [0.5]
    assert found[FEATURE, "age"] == [0.0]
    # Shares (1/2, 1/2) against (1, 0): the divergence of a fair coin and a certain one, in bits.
    assert found[OUTPUT, "score"] == [pytest.approx(0.31127812445913283)]


def test_statistics_are_filtered_and_newest_first(lab: MonitorLab) -> None:
    name = make(lab)
    first = run(lab, name, features())
    lab.advance(60)
    lab.put("new.csv", BASELINE)
    run(lab, name, features(categorical_metric_type="jensen_shannon_divergence"))
    assert stats(lab, name, stats_name="plan") == {(FEATURE, "plan"): [0.0, 0.5]}
    assert stats(lab, name, stats_name="plan", model_monitoring_job=first["name"]) == {(FEATURE, "plan"): [0.5]}
    assert stats(lab, name, stats_name="plan", algorithm="jensen_shannon_divergence") == {(FEATURE, "plan"): [0.0]}
    assert stats(lab, name, objective_type=OUTPUT) == {}
    interval = {"start_time": stamp(T0 + 30)}
    found = call(lab, "SearchModelMonitoringStats", model_monitor=name, time_interval=interval, page_size=1)
    assert [row["tabular_stats"]["stats_name"] for row in found["monitoring_stats"]] == ["age"]
    assert len(found["monitoring_stats"][0]["tabular_stats"]["data_points"]) == 1
    assert found["next_page_token"]


def test_alerts_are_found_told_and_exported(lab: MonitorLab) -> None:
    name = make(lab, notification_spec={"email_config": {"user_emails": ["a@b.example"]}, "enable_cloud_logging": True})
    done = run(lab, name, features(), output_spec={"gcs_base_directory": {"output_uri_prefix": f"{BUCKET}/out"}})
    found = call(lab, "SearchModelMonitoringAlerts", model_monitor=name)
    assert found["total_number_alerts"] == 1
    (alert,) = found["model_monitoring_alerts"]
    assert (alert["stats_name"], alert["objective_type"]) == ("plan", FEATURE)
    assert alert["anomaly"]["algorithm"] == "l_infinity"
    assert alert["anomaly"]["model_monitoring_job"] == done["name"]
    assert alert["anomaly"]["tabular_anomaly"]["condition"] == {"threshold": 0.3}
    assert call(lab, "SearchModelMonitoringAlerts", model_monitor=name, stats_name="age")["total_number_alerts"] == 0
    (mail,) = notices.emails(lab.world, lab.scope)
    assert mail["message"]["anomalies"][0]["distribution_deviation"] == 0.5
    filter_ = 'resource.type="aiplatform.googleapis.com/ModelMonitor"'
    logged = lab.call("LoggingServiceV2.ListLogEntries", resource_names=[f"projects/{PROJECT}"], filter=filter_)
    assert len(logged["entries"]) == 1
    job = done["name"].rpartition("/")[2]
    exported = lab.get(f"{BUCKET}/out/model_monitoring/w-1/tabular/jobs/{job}/raw_feature_drift/stats.json")
    assert exported["plan"]["has_anomaly"] is True


@pytest.mark.parametrize(("threshold", "alerts"), [(0.5, 0), (0.49, 1)])
def test_a_threshold_must_be_exceeded(lab: MonitorLab, threshold: float, alerts: int) -> None:
    name = make(lab)
    run(lab, name, features(feature_alert_conditions={"plan": {"threshold": threshold}}))
    assert call(lab, "SearchModelMonitoringAlerts", model_monitor=name)["total_number_alerts"] == alerts


def test_a_job_takes_the_monitors_defaults(lab: MonitorLab) -> None:
    name = make(lab, tabular_objective=features(features=["age"]), training_dataset=gcs_data("base.csv"))
    spec = {"objective_spec": {"target_dataset": gcs_data("new.csv")}}
    given = {"model_monitoring_spec": spec, "display_name": "j"}
    made = call(lab, "CreateModelMonitoringJob", parent=name, model_monitoring_job=given, model_monitoring_job_id="j-1")
    assert made["name"] == f"{name}/modelMonitoringJobs/j-1"
    lab.advance(0)
    assert stats(lab, name) == {(FEATURE, "age"): [0.0]}


def test_endpoint_logs_of_the_monitored_version(lab: MonitorLab) -> None:
    name = make(lab)
    lab.predict({"plan": "a", "age": 0}, {"plan": "b", "age": 10}, prediction=0.5)
    lab.advance(HOUR)
    lab.predict({"plan": "a", "age": 0}, {"plan": "a", "age": 10}, prediction={"score": 0.5})
    lab.predict({"plan": "zzz", "age": 99}, deployed="2")
    lab.advance(1)
    logs = {"vertex_endpoint_logs": {"endpoints": [lab.endpoint]}}
    data = {
        "target_dataset": {**logs, "time_offset": {"window": "1h"}},
        "baseline_dataset": {**logs, "time_offset": {"offset": "1h", "window": "1h"}},
    }
    failed = run(lab, name, features(), **data)
    assert failed["state"] == "JOB_STATE_FAILED"
    assert "does not log" in failed["job_execution_detail"]["error"]["message"]
    with lab.world.lock:
        deployed = lab.world.table("Endpoint", lab.scope)[lab.endpoint]["deployed_models"]
    lab.deploy(*deployed, predict_request_response_logging_config={"enabled": True, "sampling_rate": 1})
    done = run(lab, name, {**features(), "prediction_output_drift_spec": {}}, **data)
    assert done["state"] == "JOB_STATE_SUCCEEDED", done
    assert stats(lab, name) == {(FEATURE, "plan"): [0.5], (FEATURE, "age"): [0.0], (OUTPUT, "score"): [0.0]}
    lab.deploy(deployed[1], predict_request_response_logging_config={"enabled": True, "sampling_rate": 1})
    failed = run(lab, name, features(), **data)
    assert "no deployment of the monitored" in failed["job_execution_detail"]["error"]["message"]


def test_rows_in_a_time_range(lab: MonitorLab) -> None:
    name = make(lab)
    rows = [{"plan": "b", "age": 0, "at": stamp(T0 - 90_000)}, {"plan": "a", "age": 0, "at": stamp(T0 - 60)}]
    lab.put("new-1.jsonl", "\n".join(json.dumps(row) for row in rows))
    target = gcs_data("new-*.jsonl", "JSONL", timestamp_field="at")
    assert run(lab, name, features(), target_dataset=target)["state"] == "JOB_STATE_SUCCEEDED"
    day = {**target, "time_offset": {"window": "1d"}}
    assert run(lab, name, features(), target_dataset=day)["state"] == "JOB_STATE_SUCCEEDED"
    assert stats(lab, name, stats_name="plan")[FEATURE, "plan"] == [0.5, 0.0]
    interval = {**gcs_data("new-*.jsonl", "JSONL"), "time_interval": {"start_time": stamp(T0)}}
    assert run(lab, name, features(), target_dataset=interval)["job_execution_detail"]["error"]["code"] == 3


def test_one_objective_may_fail_alone(lab: MonitorLab) -> None:
    name = make(lab)
    lab.put("new.csv", csv({"plan": "a", "age": 1}))
    done = run(lab, name, {**features(), "prediction_output_drift_spec": {}})
    assert done["state"] == "JOB_STATE_PARTIALLY_SUCCEEDED"
    assert done["job_execution_detail"]["objective_status"][OUTPUT]["code"] == 9


@pytest.mark.parametrize(("content", "code"), [(None, 5), ("plan,age\na,many\n", 3), ("plan,age\n", 9)])
def test_data_that_is_missing_or_unfit_fails_the_job(lab: MonitorLab, content: str | None, code: int) -> None:
    name = make(lab)
    if content is not None:
        lab.put("other.csv", content)
    done = run(lab, name, features(), target_dataset=gcs_data("other.csv"))
    assert done["state"] == "JOB_STATE_FAILED"
    detail = done["job_execution_detail"]
    assert detail.get("error", detail["objective_status"].get(FEATURE))["code"] == code


def test_monitors_are_kept_changed_and_deleted(lab: MonitorLab) -> None:
    name = make(lab)
    assert name.endswith(f"{lab.number}/locations/us-central1/modelMonitors/w-1")
    again = {"parent": PARENT, "model_monitor": monitor(), "model_monitor_id": "w-1"}
    lab.refused(f"{SERVICE}.CreateModelMonitor", "ALREADY_EXISTS", "v1beta1", **again)
    change = {"name": name, "display_name": "v"}
    begun = call(lab, "UpdateModelMonitor", model_monitor=change, update_mask=mask("display_name"))
    assert lab.done(begun)["display_name"] == "v"
    listed = call(lab, "ListModelMonitors", parent=PARENT, filter='display_name="v"')
    assert [row["name"] for row in listed["model_monitors"]] == [name]
    done = run(lab, name, features())
    jobs = call(lab, "ListModelMonitoringJobs", parent=name)["model_monitoring_jobs"]
    assert [row["name"] for row in jobs] == [done["name"]]
    lab.done(call(lab, "DeleteModelMonitoringJob", name=done["name"]))
    lab.refused(f"{SERVICE}.GetModelMonitoringJob", "NOT_FOUND", "v1beta1", name=done["name"])
    assert stats(lab, name) == {}
    lab.done(call(lab, "DeleteModelMonitor", name=name))
    lab.refused(f"{SERVICE}.GetModelMonitor", "NOT_FOUND", "v1beta1", name=name)


def test_a_monitor_with_schedules_goes_by_force_only(lab: MonitorLab) -> None:
    name = make(lab)
    schedule = f"projects/{lab.number}/locations/us-central1/schedules/1"
    with lab.world.lock:
        request = {"parent": name, "model_monitoring_job": {}}
        row = {"name": schedule, "state": "PAUSED", "create_model_monitoring_job_request": request}
        lab.world.table("Schedule", lab.scope).put(schedule, row)
    lab.refused(f"{SERVICE}.DeleteModelMonitor", "FAILED_PRECONDITION", "v1beta1", name=name)
    assert call(lab, "GetModelMonitor", name=name)["name"] == name


def test_a_job_begins_again_after_a_restart(lab: MonitorLab) -> None:
    name = make(lab)
    done = run(lab, name, features())
    with lab.world.lock:
        row = lab.world.table("ModelMonitoringJob", lab.scope)[done["name"]]
        row["state"] = "JOB_STATE_RUNNING"
        lab.world.table("ModelMonitoringJob", lab.scope).put(done["name"], row)
    lab.reopen()
    lab.advance(0)
    assert call(lab, "GetModelMonitoringJob", name=done["name"])["state"] == "JOB_STATE_SUCCEEDED"


BAD_MONITORS = [
    ({"model_monitoring_target": {}}, "INVALID_ARGUMENT"),
    ({"model_monitoring_target": {"vertex_model": {"model": f"{PARENT}/models/none"}}}, "NOT_FOUND"),
    ({"model_monitoring_schema": {}}, "INVALID_ARGUMENT"),
    ({"model_monitoring_schema": {"feature_fields": [{"name": "a", "data_type": "date"}]}}, "INVALID_ARGUMENT"),
    ({"tabular_objective": {"feature_attribution_spec": {}}}, "UNIMPLEMENTED"),
    ({"tabular_objective": features(features=["colour"])}, "INVALID_ARGUMENT"),
    ({"tabular_objective": features(categorical_metric_type="ks")}, "INVALID_ARGUMENT"),
    ({"tabular_objective": features(default_numeric_alert_condition={"threshold": 2})}, "INVALID_ARGUMENT"),
    ({"training_dataset": {"columnized_dataset": {"bigquery_source": {"query": "x"}}}}, "UNIMPLEMENTED"),
    ({"training_dataset": gcs_data("x", "TF_RECORD")}, "UNIMPLEMENTED"),
    ({"training_dataset": {**gcs_data("x"), "time_offset": {"window": "5m"}}}, "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize(("change", "code"), BAD_MONITORS)
def test_monitors_that_are_wrong_are_refused(lab: MonitorLab, change: dict[str, Any], code: str) -> None:
    lab.refused(f"{SERVICE}.CreateModelMonitor", code, "v1beta1", parent=PARENT, model_monitor=monitor(**change))


@pytest.mark.parametrize("spec", [{}, {"objective_spec": {"tabular_objective": features()}}])
def test_jobs_without_objective_or_data_are_refused(lab: MonitorLab, spec: dict[str, Any]) -> None:
    name = make(lab)
    job = {"model_monitoring_spec": spec}
    rpc = f"{SERVICE}.CreateModelMonitoringJob"
    lab.refused(rpc, "INVALID_ARGUMENT", "v1beta1", parent=name, model_monitoring_job=job)
