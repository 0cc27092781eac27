"""Executions: what the analysis container is given, what its end means, and what becomes of the schedule."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor_lab import HOURLY, LOCAL, SCOPE, Lab, lines, record, truth

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

VIOLATIONS = """
(out / "constraint_violations.json").write_text(json.dumps({"violations": [
    {"feature_name": "a", "constraint_check_type": "data_type_check", "description": "x"}]}))
"""
NONE = '(out / "constraint_violations.json").write_text(json.dumps({"violations": []}))'


def test_the_container_sees_the_hours_data_and_the_documented_variables(lab: Lab) -> None:
    lab.put("baseline/constraints.json", "{}")
    lab.put("baseline/statistics.json", "{}")
    lab.captured("2026/11/23/08", record("early"))
    lab.captured("2026/11/23/09", record("a"), record("b"))
    baseline = {
        "ConstraintsResource": {"S3Uri": "s3://data/baseline/constraints.json"},
        "StatisticsResource": {"S3Uri": "s3://data/baseline/statistics.json"},
    }
    lab.monitored(NONE, DataQualityBaselineConfig=baseline, app={"Environment": {"mine": "1"}})
    assert lab.executions() == []
    lab.advance(3600)
    assert lab.statuses() == ["Completed"]
    seen = lab.seen("2026/11/23/10")
    # The developer guide's page "Container contract inputs".
    assert {name: value for name, value in seen["env"].items() if name in EXPECTED} == EXPECTED
    assert seen["env"]["mine"] == "1"
    data = f"{LOCAL}/live/AllTraffic/2026/11/23/09/00-00-000-2.jsonl"
    constraints, statistics = EXPECTED["baseline_constraints"], EXPECTED["baseline_statistics"]
    assert sorted(seen["files"]) == sorted([data, constraints, statistics])
    assert seen["files"][data] == lines([record("a"), record("b")])
    assert seen["config"]["Environment"]["publish_cloudwatch_metrics"] == "Enabled"


EXPECTED = {
    "dataset_format": '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
    "dataset_source": LOCAL,
    "start_time": "2026-11-23T09:00:00Z",
    "end_time": "2026-11-23T10:00:00Z",
    "output_path": "/opt/ml/processing/output",
    "publish_cloudwatch_metrics": "Enabled",
    "sagemaker_endpoint_name": "live",
    "sagemaker_endpoint_datacapture_prefix": "s3://data/captured",
    "sagemaker_monitoring_schedule_name": "s",
    "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
    "baseline_statistics": "/opt/ml/processing/baseline/stats/statistics.json",
}


def test_the_end_of_the_job_is_the_end_of_the_execution(lab: Lab) -> None:
    code = f"""
hour = os.environ["start_time"][11:13]
if hour == "10":
    {VIOLATIONS.strip().replace(chr(10), " ")}
if hour == "11":
    raise SystemExit(3)
if hour == "12":
    pathlib.Path("/opt/ml/output/message").write_text("CompletedWithViolations: 2 violations")
"""
    for hour in ("09", "10", "11", "12"):
        lab.captured(f"2026/11/23/{hour}", record(hour))
    lab.monitored(code)
    lab.advance(5 * 3600)
    assert lab.statuses() == ["Completed", "CompletedWithViolations", "Failed", "CompletedWithViolations", "Failed"]
    newest, _, broken, *_ = lab.executions(SortBy="ScheduledTime")
    assert newest["FailureReason"] == "Job inputs had no data"
    assert "ProcessingJobArn" not in newest
    assert "exit code: 3" in broken["FailureReason"]
    last = lab.sm.describe_monitoring_schedule(MonitoringScheduleName="s")["LastMonitoringExecutionSummary"]
    assert last == newest


def test_the_job_is_an_ordinary_processing_job(lab: Lab) -> None:
    lab.captured("2026/11/23/09", record("a"))
    lab.monitored()
    lab.advance(3600)
    arn = lab.executions()[0]["ProcessingJobArn"]
    job = lab.sm.describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])
    assert job["ProcessingJobName"].startswith("model-monitoring-202611231000-")
    output = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
    assert output["S3Uri"] == "s3://data/reports/live/s/2026/11/23/10"


def test_lists_are_filtered(lab: Lab) -> None:
    lab.captured("2026/11/23/09", record("a"))
    lab.monitored()
    lab.advance(3 * 3600)
    ten = datetime(2026, 11, 23, 10, tzinfo=UTC)
    minute = timedelta(minutes=1)
    for filters, count in (
        ({"MonitoringScheduleName": "s"}, 3),
        ({"MonitoringScheduleName": "t"}, 0),
        ({"EndpointName": "live", "MonitoringJobDefinitionName": "d", "MonitoringTypeEquals": "DataQuality"}, 3),
        ({"MonitoringTypeEquals": "ModelBias"}, 0),
        ({"StatusEquals": "Completed"}, 1),
        ({"StatusEquals": "Failed"}, 2),
        ({"ScheduledTimeAfter": ten}, 2),
        ({"ScheduledTimeBefore": ten + minute}, 1),
        ({"CreationTimeAfter": ten + minute, "LastModifiedTimeBefore": ten + 61 * minute}, 1),
    ):
        assert len(lab.executions(**filters)) == count, filters
    first = lab.sm.list_monitoring_executions(MaxResults=2, SortBy="ScheduledTime")
    rest = lab.sm.list_monitoring_executions(MaxResults=2, SortBy="ScheduledTime", NextToken=first["NextToken"])
    times = [row["ScheduledTime"] for page in (first, rest) for row in page["MonitoringExecutionSummaries"]]
    assert times == [ten + timedelta(hours=hours) for hours in (2, 1, 0)]


def test_a_day_of_hours_comes_as_days_within_the_limit_of_inputs(lab: Lab) -> None:
    for hour in range(10, 24):
        lab.captured(f"2026/11/23/{hour:02}", record(f"a{hour}"))
    lab.captured("2026/11/24/03", record("b"))
    lab.captured("2026/11/24/03", record("c"), record("d"), variant="Second")
    lab.monitored(expression="cron(0 10 ? * * *)")
    lab.advance(40 * 3600)
    # The first execution (23rd, 10:00) looks at the day before the endpoint had data.
    assert lab.statuses() == ["Failed", "Completed"]
    seen = lab.seen("2026/11/24/10")
    folders = {name.rpartition("/")[0][len(f"{LOCAL}/live/") :] for name in seen["files"]}
    hours = {f"AllTraffic/2026/11/23/{hour}" for hour in range(10, 24)}
    assert folders == {*hours, "AllTraffic/2026/11/24/03", "Second/2026/11/24/03"}
    assert (seen["env"]["start_time"], seen["env"]["end_time"]) == ("2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z")


def test_offsets_move_the_window(lab: Lab) -> None:
    lab.captured("2026/11/23/07", record("a"))
    source = {"EndpointName": "live", "LocalPath": LOCAL, "StartTimeOffset": "-PT3H", "EndTimeOffset": "-PT2H"}
    lab.monitored(input={"EndpointInput": source})
    lab.advance(3600)
    assert lab.seen("2026/11/23/10")["env"]["start_time"] == "2026-11-23T07:00:00Z"


def test_now_runs_once_at_once(lab: Lab) -> None:
    lab.captured("2026/11/23/08", record("a"))
    lab.endpoint()
    lab.sm.create_data_quality_job_definition(**lab.definition())
    lab.schedule(expression="NOW", DataAnalysisStartTime="-PT2H", DataAnalysisEndTime="-PT0H")
    lab.advance(86_400)
    assert lab.statuses() == ["Completed"]


def test_model_quality_sees_predictions_with_their_labels(lab: Lab) -> None:
    lab.endpoint()
    lab.captured("2026/11/23/09", record("a", "1"), record("b", "2", inferenceId="mine"), record("c", "3"))
    lab.put("truth/2026/11/23/09/x.jsonl", lines([truth("a", "1"), truth("mine", "0"), truth("b", "9")]) + "no json\n")
    lab.sm.create_model_quality_job_definition(**lab.definition("ModelQuality", NONE))
    lab.schedule(kind="ModelQuality")
    lab.advance(3600)
    assert lab.statuses() == ["Completed"]
    seen = lab.seen("2026/11/23/10")
    (text,) = seen["files"].values()
    merged = [json.loads(line) for line in text.splitlines()]
    # inferenceId goes before eventId (developer guide, "Ingest ground truth labels"); "c" has no label.
    assert [(one["eventMetadata"]["eventId"], one["groundTruthData"]["data"]) for one in merged] == [
        ("a", "1"),
        ("b", "0"),
    ]
    assert merged[0]["captureData"] == record("a", "1")["captureData"]
    assert seen["env"]["problem_type"] == "BinaryClassification"
    assert "sagemakerMergeJson" in seen["env"]["dataset_format"]
    lab.captured("2026/11/23/10", record("z"))
    lab.advance(3600)
    assert lab.executions(SortBy="ScheduledTime")[0]["FailureReason"] == "Job inputs had no data"


def test_batch_transform_input(lab: Lab) -> None:
    lab.put("in/a.csv", "1,2\n")
    lab.put("batch/input/2026/11/23/09/x.json", json.dumps([{"prefix": "s3://data/in/"}, "a.csv"]))
    lab.put("batch/input/2026/11/23/08/y.json", json.dumps([{"prefix": "s3://data/in/"}, "none.csv"]))
    source = {
        "DataCapturedDestinationS3Uri": "s3://data/batch",
        "DatasetFormat": {"Csv": {"Header": True}},
        "LocalPath": LOCAL,
    }
    given = lab.definition()
    lab.sm.create_data_quality_job_definition(**{**given, "DataQualityJobInput": {"BatchTransformInput": source}})
    lab.schedule()
    lab.advance(3600)
    assert lab.statuses() == ["Completed"]
    body = lab.s3.get_object(Bucket="data", Key="reports/s/2026/11/23/10/seen.json")["Body"].read()
    seen = json.loads(body)
    assert list(seen["files"].values()) == ["1,2\n"]
    assert seen["env"]["dataset_format"] == '{"csv":{"header":true}}'
    assert "sagemaker_endpoint_name" not in seen["env"]


def test_metrics_reach_cloudwatch(lab: Lab) -> None:
    code = """
folder = pathlib.Path("/opt/ml/output/metrics/cloudwatch")
folder.mkdir(parents=True)
good = {"MetricName": "drift", "Timestamp": "2026-11-23T09:00:00Z", "Value": 0.5,
        "Dimensions": [{"Name": "Endpoint", "Value": "live"}]}
(folder / "cloudwatch_metrics.jsonl").write_text(json.dumps(good) + "\\nnonsense\\n" + json.dumps({"Value": 1}) + "\\n")
(folder / "link.jsonl").symlink_to("/etc/hostname")
"""
    lab.captured("2026/11/23/09", record("a"))
    lab.monitored(code)
    lab.advance(3600)
    assert lab.statuses() == ["Completed"]
    cloudwatch = lab.client("cloudwatch")
    (metric,) = cloudwatch.list_metrics(Namespace="aws/sagemaker/Endpoints/data-metrics")["Metrics"]
    assert (metric["MetricName"], metric["Dimensions"]) == ("drift", [{"Name": "Endpoint", "Value": "live"}])


def test_metrics_stay_when_they_are_not_to_be_published(lab: Lab) -> None:
    code = """
folder = pathlib.Path("/opt/ml/output/metrics/cloudwatch")
folder.mkdir(parents=True)
(folder / "m.json").write_text(json.dumps({"MetricName": "m", "Timestamp": "2026-11-23T09:00:00Z", "Value": 1}))
"""
    lab.captured("2026/11/23/09", record("a"))
    lab.monitored(code, app={"Environment": {"publish_cloudwatch_metrics": "Disabled"}})
    lab.advance(3600)
    assert lab.client("cloudwatch").list_metrics(Namespace="aws/sagemaker/Endpoints/data-metrics")["Metrics"] == []


def test_a_schedule_is_suspended_when_its_endpoint_is_gone(lab: Lab) -> None:
    lab.captured("2026/11/23/09", record("a"))
    lab.monitored()
    with lab.world.lock:
        lab.world.table("Endpoint", SCOPE).delete("live")
    lab.advance(86_400)
    assert lab.statuses() == ["Failed"]
    described = lab.sm.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert described["MonitoringScheduleStatus"] == "Failed"
    assert "live" in described["FailureReason"]
    lab.endpoint()
    lab.sm.start_monitoring_schedule(MonitoringScheduleName="s")
    lab.advance(3600)
    assert len(lab.statuses()) == 2


def test_a_stopped_schedule_rests_and_an_update_takes_effect(lab: Lab) -> None:
    lab.monitored()
    lab.sm.stop_monitoring_schedule(MonitoringScheduleName="s")
    lab.advance(86_400)
    assert lab.statuses() == []
    config = {
        "MonitoringJobDefinitionName": "d",
        "MonitoringType": "DataQuality",
        "ScheduleConfig": {"ScheduleExpression": "cron(0 0/6 ? * * *)"},
    }
    lab.sm.update_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)
    lab.advance(86_400)
    assert len(lab.statuses()) == 4
    lab.sm.delete_monitoring_schedule(MonitoringScheduleName="s")
    lab.advance(86_400)
    # "This does not delete the job execution history of the monitoring schedule" (API reference).
    assert len(lab.statuses()) == 4


def test_the_delay_is_a_switch(lab: Lab) -> None:
    lab.captured("2026/11/23/09", record("a"))
    lab.world.switches.set("monitor-delay", "spread")
    lab.monitored()
    lab.advance(30 * 60)
    assert lab.statuses() == []
    lab.advance(20 * 60)
    (row,) = lab.executions()
    assert row["ScheduledTime"] == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert timedelta(0) < row["CreationTime"] - row["ScheduledTime"] < timedelta(minutes=20)


def test_alerts(lab: Lab) -> None:
    code = f"if os.environ['start_time'][11:13] in ('09', '10'):\n    {VIOLATIONS.strip().replace(chr(10), ' ')}"
    for hour in ("09", "10", "11"):
        lab.captured(f"2026/11/23/{hour}", record(hour))
    lab.monitored(code)
    (alert,) = lab.sm.list_monitoring_alerts(MonitoringScheduleName="s")["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "OK"
    name = {"MonitoringScheduleName": "s", "MonitoringAlertName": alert["MonitoringAlertName"]}
    lab.sm.update_monitoring_alert(**name, DatapointsToAlert=2, EvaluationPeriod=2)
    seen = []
    for _ in range(3):
        lab.advance(3600)
        seen.append(
            lab.sm.list_monitoring_alerts(MonitoringScheduleName="s")["MonitoringAlertSummaries"][0]["AlertStatus"]
        )
    assert seen == ["OK", "InAlert", "OK"]
    history = lab.sm.list_monitoring_alert_history(**name, SortOrder="Ascending")["MonitoringAlertHistory"]
    assert [row["AlertStatus"] for row in history] == ["InAlert", "OK"]
    with lab.world.lock:
        for number in range(10):
            lab.world.table("MonitoringAlertHistory", SCOPE).put(f"more-{number}", {**name, "CreationTime": 1.0})
    # API reference: "The default is 100."
    assert len(lab.sm.list_monitoring_alert_history(**name)["MonitoringAlertHistory"]) == 12


def test_a_program_that_hangs_is_stopped_with_its_job(lab: Lab) -> None:
    lab.captured("2026/11/23/09", record("a"))
    lab.world.faults.add(lab.world.faults.parse("hang:ProcessingJob/model-monitoring-*"))
    lab.monitored()
    lab.advance(3600)
    assert lab.statuses() == ["InProgress"]
    job = lab.executions()[0]["ProcessingJobArn"].rpartition("/")[2]
    lab.sm.stop_processing_job(ProcessingJobName=job)
    lab.advance()
    assert lab.statuses() == ["Stopped"]


def test_an_endpoint_that_really_serves_is_monitored(lab: Lab) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/model:1"
    lab.sm.create_model(
        ModelName="m", PrimaryContainer={"Image": image}, ExecutionRoleArn="arn:aws:iam::123456789012:role/ml"
    )
    lab.sm.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {"VariantName": "main", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://data/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        },
    )
    lab.sm.create_endpoint(EndpointName="live", EndpointConfigName="c")
    lab.advance()
    lab.sm.create_data_quality_job_definition(**lab.definition(code=VIOLATIONS))
    lab.schedule(expression=HOURLY)
    lab.client("sagemaker-runtime").invoke_endpoint(EndpointName="live", Body=b"4,2", ContentType="text/csv")
    lab.advance(3600)
    assert lab.statuses() == ["CompletedWithViolations"]
    (text,) = lab.seen("2026/11/23/10")["files"].values()
    captured = json.loads(text)["captureData"]
    assert (captured["endpointInput"]["data"], captured["endpointOutput"]["data"]) == ("4,2", "1")


def test_a_mock_that_was_killed_goes_on(options: Options, tmp_path: Path) -> None:
    kept = replace(options, state=tmp_path, hold=True)
    first = start(kept)
    lab = Lab(first)
    lab.captured("2026/11/23/09", record("a"))
    lab.captured("2026/11/23/11", record("b"))
    lab.world.faults.add(lab.world.faults.parse("hang:ProcessingJob/model-monitoring-*"))
    lab.endpoint()
    lab.sm.create_data_quality_job_definition(**lab.definition())
    lab.schedule()
    lab.advance(3600)
    assert lab.statuses() == ["InProgress"]
    with lab.world.lock:  # a record without processes is nothing that hosting could start again
        lab.world.table("Endpoint", SCOPE).delete("live")
    first.stop()

    second = start(replace(kept, start=datetime(2026, 11, 23, 11, 50, tzinfo=UTC)))
    lab = Lab(second, bucket=False)
    lab.endpoint()
    # The job that hung runs again; the execution of 11:00, missed while nothing ran, is made up for.
    lab.advance(0)
    assert lab.statuses() == ["Completed", "Failed"]
    lab.advance(600)
    assert lab.statuses() == ["Completed", "Failed", "Completed"]
    second.stop()
