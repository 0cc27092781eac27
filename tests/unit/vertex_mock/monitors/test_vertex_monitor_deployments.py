"""Model monitoring v1: bound to deployed models, run on the clock, computed from what the endpoint answered."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cloudml_vertex.mock.core import notices
from cloudml_vertex.mock.core.times import stamp
from tests.unit.vertex_mock.around.vertex_around import PROJECT, T0, mask
from tests.unit.vertex_mock.monitors.vertex_monitoring import BUCKET, HOUR, PARENT, MonitorLab, csv

TRAINING = csv(
    {"plan": "a", "age": 0, "churn": 1},
    {"plan": "a", "age": 0, "churn": 0},
    {"plan": "b", "age": 10, "churn": 0},
    {"plan": "b", "age": 10, "churn": 1},
)
"""Half of each plan, ages at both ends of the range."""
ALL_A = [{"plan": "a", "age": 0}, {"plan": "a", "age": 10}]
BALANCED = [{"plan": "a", "age": 0}, {"plan": "b", "age": 10}]


def skew(**thresholds: float) -> dict[str, Any]:
    dataset = {"gcs_source": {"uris": [f"{BUCKET}/train.csv"]}, "data_format": "csv", "target_field": "churn"}
    own = {name: {"value": value} for name, value in thresholds.items()}
    detection = {"skew_thresholds": own} if own else {}
    return {"training_dataset": dataset, "training_prediction_skew_detection_config": detection}


def drift(**thresholds: float) -> dict[str, Any]:
    own = {name: {"value": value} for name, value in thresholds.items()}
    return {"prediction_drift_detection_config": {"drift_thresholds": own} if own else {}}


def job(lab: MonitorLab, objective: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request's job."""
    return {
        "display_name": "watch",
        "endpoint": lab.endpoint,
        "model_deployment_monitoring_objective_configs": [{"deployed_model_id": "1", "objective_config": objective}],
        "model_deployment_monitoring_schedule_config": {"monitor_interval": "3600s"},
        "logging_sampling_strategy": {"random_sample_config": {"sample_rate": 1.0}},
        **more,
    }


def create(lab: MonitorLab, objective: dict[str, Any], **more: Any) -> str:
    lab.put("train.csv", TRAINING)
    given = job(lab, objective, **more)
    made = lab.call(
        "JobService.CreateModelDeploymentMonitoringJob", parent=PARENT, model_deployment_monitoring_job=given
    )
    assert made["state"] == "JOB_STATE_PENDING"
    lab.advance(0)
    return str(made["name"])


def get(lab: MonitorLab, name: str) -> dict[str, Any]:
    return lab.call("JobService.GetModelDeploymentMonitoringJob", name=name)


def search(lab: MonitorLab, name: str, objective: str, deployed: str = "1", **more: Any) -> dict[str, list[float]]:
    """The deviations of each feature, newest first."""
    found = lab.call(
        "JobService.SearchModelDeploymentMonitoringStatsAnomalies",
        model_deployment_monitoring_job=name,
        deployed_model_id=deployed,
        objectives=[{"type_": objective}],
        **more,
    )
    rows = [row for one in found.get("monitoring_stats", []) for row in one["feature_stats"]]
    return {
        row["feature_display_name"]: [one.get("distribution_deviation", 0.0) for one in row["prediction_stats"]]
        for row in rows
    }


def test_skew_against_the_training_data(lab: MonitorLab) -> None:
    name = create(lab, skew())
    assert get(lab, name)["state"] == "JOB_STATE_RUNNING"
    assert get(lab, name)["next_schedule_time"] == stamp(T0 + HOUR)
    lab.predict(*ALL_A)
    lab.advance(HOUR)
    # plan: shares 1 and 0 against 1/2 and 1/2; age: half at each end, as in training. The target is no feature.
    assert search(lab, name, "RAW_FEATURE_SKEW") == {"plan": [0.5], "age": [0.0]}
    seen = get(lab, name)
    assert seen["latest_monitoring_pipeline_metadata"]["run_time"] == stamp(T0 + HOUR)
    assert seen["schedule_state"] == "OFFLINE"
    assert seen["next_schedule_time"] == stamp(T0 + 2 * HOUR)


def test_drift_between_windows(lab: MonitorLab) -> None:
    name = create(lab, drift())
    for instances in (BALANCED, ALL_A, ALL_A):
        lab.predict(*instances)
        lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_DRIFT") == {"plan": [0.0, 0.5], "age": [0.0, 0.0]}
    later = {"start_time": stamp(T0 + 3 * HOUR)}
    assert search(lab, name, "RAW_FEATURE_DRIFT", **later) == {"plan": [0.0], "age": [0.0]}
    assert search(lab, name, "RAW_FEATURE_DRIFT", feature_display_name="age") == {"age": [0.0, 0.0]}
    assert search(lab, name, "RAW_FEATURE_SKEW") == {}


def test_a_monitor_stays_with_the_deployed_model_it_names(lab: MonitorLab) -> None:
    name = create(lab, skew())
    lab.predict(*ALL_A, deployed="2")
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW") == {}
    patch = {
        "name": name,
        "model_deployment_monitoring_objective_configs": [{"deployed_model_id": "2", "objective_config": skew()}],
    }
    lab.done(
        lab.call(
            "JobService.UpdateModelDeploymentMonitoringJob",
            model_deployment_monitoring_job=patch,
            update_mask=mask("model_deployment_monitoring_objective_configs"),
        )
    )
    lab.predict(*ALL_A, deployed="2")
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW", "2") == {"plan": [0.5], "age": [0.0]}


@pytest.mark.parametrize(
    ("objective", "features"),
    [
        (skew(), {"plan", "age"}),
        (skew(plan=0.1), {"plan"}),
        (skew(plan=0.1, age=0.0), {"plan"}),
        (
            {**skew(plan=0.0), "training_prediction_skew_detection_config": {"default_skew_threshold": {"value": 0.2}}},
            {"plan", "age"},
        ),
    ],
)
def test_which_features_are_monitored(lab: MonitorLab, objective: dict[str, Any], features: set[str]) -> None:
    name = create(lab, objective)
    lab.predict(*ALL_A)
    lab.advance(HOUR)
    assert set(search(lab, name, "RAW_FEATURE_SKEW")) == features


def test_lists_take_the_training_columns_in_order(lab: MonitorLab) -> None:
    name = create(lab, skew())
    lab.predict(["a", 0], ["a", 10])
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW") == {"plan": [0.5], "age": [0.0]}


def test_an_analysis_schema_sets_the_type(lab: MonitorLab) -> None:
    schema = lab.put("schema.yaml", "type: object\nproperties:\n  age: {type: string}\n  plan: {type: string}\n")
    name = create(lab, skew(), analysis_instance_schema_uri=schema)
    lab.predict({"plan": "a", "age": 1}, {"plan": "b", "age": 10})
    lab.advance(HOUR)
    # As categories 1 is not 0: half of the requests have an age that half of the training data lacks.
    assert search(lab, name, "RAW_FEATURE_SKEW") == {"plan": [0.0], "age": [0.5]}


def test_sampling(lab: MonitorLab) -> None:
    half = {"random_sample_config": {"sample_rate": 0.5}}
    name = create(lab, skew(), logging_sampling_strategy=half)
    lab.predict(*[{"plan": f"p{number}", "age": 0} for number in range(400)])
    lab.advance(HOUR)
    found = lab.call(
        "JobService.SearchModelDeploymentMonitoringStatsAnomalies",
        model_deployment_monitoring_job=name,
        deployed_model_id="1",
        objectives=[{"type_": "RAW_FEATURE_SKEW"}],
    )
    # Each plan is another one: a single request's share is one in as many as were sampled.
    assert search(lab, name, "RAW_FEATURE_SKEW")["plan"] == [0.5]
    assert found["monitoring_stats"][0]["anomaly_count"] == 2


def test_anomalies_are_told_everywhere_and_written(lab: MonitorLab) -> None:
    topic, reader = f"projects/{PROJECT}/topics/t-1", f"projects/{PROJECT}/subscriptions/s-1"
    lab.call("Publisher.CreateTopic", name=topic)
    lab.call("Subscriber.CreateSubscription", name=reader, topic=topic)
    channel = lab.call(
        "NotificationChannelService.CreateNotificationChannel",
        name=f"projects/{PROJECT}",
        notification_channel={"type_": "pubsub", "labels": {"topic": topic}},
    )
    alerts = {
        "email_alert_config": {"user_emails": ["a@b.example"]},
        "enable_logging": True,
        "notification_channels": [channel["name"]],
    }
    base = {"output_uri_prefix": f"{BUCKET}/out/"}
    more = {"model_monitoring_alert_config": alerts, "stats_anomalies_base_directory": base}
    name = create(lab, skew(plan=0.4, age=0.4), enable_monitoring_pipeline_logs=True, **more)
    lab.predict(*BALANCED)
    lab.advance(HOUR)
    assert notices.emails(lab.world, lab.scope) == []
    lab.predict(*ALL_A)
    lab.advance(HOUR)
    (mail,) = notices.emails(lab.world, lab.scope)
    (told,) = mail["message"]["anomalies"]
    assert told["anomaly_count"] == 1
    assert [one["feature_display_name"] for one in told["feature_stats"]] == ["plan"]
    (got,) = lab.call("Subscriber.Pull", subscription=reader, max_messages=9)["received_messages"]
    assert json.loads(base64.b64decode(got["message"]["data"]))["model_deployment_monitoring_job"] == name
    filter_ = 'log_id("aiplatform.googleapis.com/model_monitoring_anomaly") AND jsonPayload.anomaly_count=1'
    logged = lab.call("LoggingServiceV2.ListLogEntries", resource_names=[f"projects/{PROJECT}"], filter=filter_)
    assert len(logged["entries"]) == 1
    filter_ = 'log_id("aiplatform.googleapis.com/model_monitoring")'
    logged = lab.call("LoggingServiceV2.ListLogEntries", resource_names=[f"projects/{PROJECT}"], filter=filter_)
    assert len(logged["entries"]) == 2
    found = lab.call(
        "JobService.SearchModelDeploymentMonitoringStatsAnomalies",
        model_deployment_monitoring_job=name,
        deployed_model_id="1",
        feature_display_name="plan",
        objectives=[{"type_": "RAW_FEATURE_SKEW"}],
    )
    newest = found["monitoring_stats"][0]["feature_stats"][0]["prediction_stats"][0]
    assert newest["anomaly_uri"].startswith(f"{BUCKET}/out/model_monitoring/job-")
    assert lab.get(newest["anomaly_uri"])["distribution_deviation"] == 0.5


@pytest.mark.parametrize(
    ("asked", "kept"), [("1s", "3600s"), ("3600s", "3600s"), ("3601s", "7200s"), ("86400s", "86400s")]
)
def test_the_interval_is_rounded_up_to_full_hours(lab: MonitorLab, asked: str, kept: str) -> None:
    name = create(lab, drift(), model_deployment_monitoring_schedule_config={"monitor_interval": asked})
    assert get(lab, name)["model_deployment_monitoring_schedule_config"]["monitor_interval"] == kept


def test_the_window_may_be_longer_than_the_interval(lab: MonitorLab) -> None:
    schedule = {"monitor_interval": "3600s", "monitor_window": "7200s"}
    name = create(lab, skew(plan=0.1), model_deployment_monitoring_schedule_config=schedule)
    lab.predict({"plan": "a", "age": 0})
    lab.advance(HOUR)
    lab.predict({"plan": "b", "age": 0})
    lab.advance(2 * HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW") == {"plan": [0.5, 0.0, 0.5]}


def test_pause_resume_delete(lab: MonitorLab) -> None:
    name = create(lab, skew())
    service = "JobService"
    lab.refused(f"{service}.ResumeModelDeploymentMonitoringJob", "FAILED_PRECONDITION", name=name)
    lab.call(f"{service}.PauseModelDeploymentMonitoringJob", name=name)
    lab.refused(f"{service}.PauseModelDeploymentMonitoringJob", "FAILED_PRECONDITION", name=name)
    lab.predict(*ALL_A)
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW") == {}
    assert get(lab, name)["state"] == "JOB_STATE_PAUSED"
    lab.call(f"{service}.ResumeModelDeploymentMonitoringJob", name=name)
    lab.predict(*ALL_A)
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW")["plan"] == [0.5]
    listed = lab.call(f"{service}.ListModelDeploymentMonitoringJobs", parent=PARENT, filter='display_name="watch"')
    assert [row["name"] for row in listed["model_deployment_monitoring_jobs"]] == [name]
    lab.done(lab.call(f"{service}.DeleteModelDeploymentMonitoringJob", name=name))
    lab.refused(f"{service}.GetModelDeploymentMonitoringJob", "NOT_FOUND", name=name)
    lab.advance(2 * HOUR)


def test_a_restart_goes_on(lab: MonitorLab) -> None:
    name = create(lab, skew())
    lab.predict(*ALL_A)
    lab.reopen()
    lab.advance(HOUR)
    assert search(lab, name, "RAW_FEATURE_SKEW")["plan"] == [0.5]


def test_a_nested_mask_changes_one_field(lab: MonitorLab) -> None:
    name = create(lab, {**skew(), **drift(age=0.5)})
    config = {"deployed_model_id": "1", "objective_config": skew(plan=0.9)}
    patch = {"name": name, "display_name": "other", "model_deployment_monitoring_objective_configs": [config]}
    path = "model_deployment_monitoring_objective_configs.objective_config.training_prediction_skew_detection_config"
    changed = lab.done(
        lab.call(
            "JobService.UpdateModelDeploymentMonitoringJob",
            model_deployment_monitoring_job=patch,
            update_mask=mask(path),
        )
    )
    assert changed["display_name"] == "watch"
    (one,) = changed["model_deployment_monitoring_objective_configs"]
    thresholds = one["objective_config"]["training_prediction_skew_detection_config"]["skew_thresholds"]
    assert thresholds == {"plan": {"value": 0.9}}
    assert "prediction_drift_detection_config" in one["objective_config"]
    wrong = {"model_deployment_monitoring_job": patch, "update_mask": "endpoint"}
    lab.refused("JobService.UpdateModelDeploymentMonitoringJob", "INVALID_ARGUMENT", **wrong)


def test_training_data_that_is_not_there_fails_the_job(lab: MonitorLab) -> None:
    objective = skew()
    objective["training_dataset"]["gcs_source"]["uris"] = [f"{BUCKET}/none.csv"]
    name = create(lab, objective)
    assert get(lab, name)["state"] == "JOB_STATE_FAILED"
    assert get(lab, name)["error"]["code"] == 5


def test_one_job_for_an_endpoint(lab: MonitorLab) -> None:
    create(lab, skew())
    rpc = "JobService.CreateModelDeploymentMonitoringJob"
    lab.refused(rpc, "FAILED_PRECONDITION", parent=PARENT, model_deployment_monitoring_job=job(lab, skew()))
    lab.world.switches.set("monitoring-jobs-per-endpoint", "many")
    create(lab, skew())


ATTRIBUTION = {
    **skew(),
    "training_prediction_skew_detection_config": {"attribution_score_skew_thresholds": {"a": {"value": 0.1}}},
}
BAD = [
    (skew(), {"endpoint": f"{PARENT}/endpoints/8"}, "NOT_FOUND", "endpoints/8"),
    (skew(), {"display_name": ""}, "INVALID_ARGUMENT", "display_name"),
    (skew(), {"logging_sampling_strategy": {"random_sample_config": {"sample_rate": 1.1}}}, "INVALID_ARGUMENT", "rate"),
    (skew(plan=1.5), {}, "INVALID_ARGUMENT", "threshold"),
    ({}, {}, "INVALID_ARGUMENT", "skew or drift"),
    (ATTRIBUTION, {}, "UNIMPLEMENTED", "attributions"),
    ({"training_prediction_skew_detection_config": {}}, {}, "INVALID_ARGUMENT", "training_dataset"),
    (
        {**skew(), "training_dataset": {"gcs_source": {"uris": ["gs://b/x"]}, "data_format": "tf-record"}},
        {},
        "UNIMPLEMENTED",
        "tf-record",
    ),
    ({**skew(), "training_dataset": {"bigquery_source": {"input_uri": "bq://p.d.t"}}}, {}, "UNIMPLEMENTED", "bigquery"),
]


@pytest.mark.parametrize(("objective", "more", "code", "why"), BAD)
def test_jobs_that_are_wrong_are_refused(
    lab: MonitorLab, objective: dict[str, Any], more: dict[str, Any], code: str, why: str
) -> None:
    given = job(lab, objective, **more)
    rpc = "JobService.CreateModelDeploymentMonitoringJob"
    assert why in lab.refused(rpc, code, parent=PARENT, model_deployment_monitoring_job=given)


def test_a_deployed_model_that_the_endpoint_does_not_have(lab: MonitorLab) -> None:
    config = [{"deployed_model_id": "3", "objective_config": skew()}]
    given = job(lab, skew(), model_deployment_monitoring_objective_configs=config)
    rpc = "JobService.CreateModelDeploymentMonitoringJob"
    assert "'3'" in lab.refused(rpc, "INVALID_ARGUMENT", parent=PARENT, model_deployment_monitoring_job=given)
