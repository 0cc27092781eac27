"""Experiments, trials, components and their metrics."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime

import pytest
from tracking_lab import SCOPE, Lab, refused

from cloudml.mocks.bus import Change


def test_experiments_trials_and_components(lab: Lab) -> None:
    sm = lab.sm
    assert sm.create_experiment(ExperimentName="e")["ExperimentArn"].endswith(":experiment/e")
    assert refused(sm.create_experiment, ExperimentName="e") == "ValidationException"
    assert refused(sm.create_trial, TrialName="t", ExperimentName="none") == "ResourceNotFound"
    for name in ("t", "u"):
        sm.create_trial(TrialName=name, ExperimentName="e")
    sm.create_trial_component(TrialComponentName="c", Parameters={"a": {"NumberValue": 1.5}, "b": {"StringValue": "x"}})
    sm.associate_trial_component(TrialComponentName="c", TrialName="t")
    sm.associate_trial_component(TrialComponentName="c", TrialName="t")
    assert [row["TrialName"] for row in sm.list_trials(TrialComponentName="c")["TrialSummaries"]] == ["t"]
    names = [
        row["TrialName"]
        for row in sm.list_trials(ExperimentName="e", SortBy="Name", SortOrder="Ascending")["TrialSummaries"]
    ]
    assert names == ["t", "u"]
    for filters, count in (({"TrialName": "t"}, 1), ({"TrialName": "u"}, 0), ({"ExperimentName": "e"}, 1)):
        assert len(sm.list_trial_components(**filters)["TrialComponentSummaries"]) == count
    sm.update_trial_component(
        TrialComponentName="c", ParametersToRemove=["a"], Parameters={"d": {"NumberValue": 2}}, DisplayName="C"
    )
    described = sm.describe_trial_component(TrialComponentName="c")
    assert described["Parameters"] == {"b": {"StringValue": "x"}, "d": {"NumberValue": 2}}
    assert described["DisplayName"] == "C"
    assert refused(sm.delete_experiment, ExperimentName="e") == "ValidationException"
    assert refused(sm.delete_trial, TrialName="t") == "ValidationException"
    sm.disassociate_trial_component(TrialComponentName="c", TrialName="t")
    assert refused(sm.disassociate_trial_component, TrialComponentName="c", TrialName="t") == "ResourceNotFound"
    sm.delete_trial_component(TrialComponentName="c")
    for name in ("t", "u"):
        sm.delete_trial(TrialName=name)
    sm.delete_experiment(ExperimentName="e")
    assert refused(sm.describe_experiment, ExperimentName="e") == "ResourceNotFound"


def test_a_job_becomes_a_component_of_its_trial(lab: Lab) -> None:
    lab.sm.create_experiment(ExperimentName="e")
    lab.sm.create_trial(TrialName="t", ExperimentName="e")
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/j"
    document = {
        "TrainingJobArn": arn,
        "HyperParameters": {"eta": "0.1"},
        "ExperimentConfig": {"ExperimentName": "e", "TrialName": "t", "TrialComponentDisplayName": "fit"},
        "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.5, "Timestamp": 1.0}],
    }
    for status in ("InProgress", "Completed"):
        lab.world.bus.publish(Change("TrainingJob", SCOPE, "j", "", status, document))
    lab.world.clock.settle()  # type: ignore[attr-defined]
    (row,) = lab.sm.list_trial_components(TrialName="t")["TrialComponentSummaries"]
    assert (row["TrialComponentName"], row["DisplayName"]) == ("j-aws-training-job", "fit")
    assert row["TrialComponentSource"] == {"SourceArn": arn, "SourceType": "SageMakerTrainingJob"}
    assert row["Status"]["PrimaryStatus"] == "Completed"
    described = lab.sm.describe_trial_component(TrialComponentName="j-aws-training-job")
    assert described["Parameters"] == {"eta": {"StringValue": "0.1"}}
    assert described["Metrics"][0]["Last"] == 0.5


VALUES = [3.0, 1.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Min", min(VALUES)),
        ("Max", max(VALUES)),
        ("Avg", statistics.fmean(VALUES)),
        ("Count", 4),
        ("StdDev", statistics.pstdev(VALUES)),
        ("Last", 5.0),
    ],
)
def test_metrics_are_aggregated(lab: Lab, statistic: str, expected: float) -> None:
    arn = lab.sm.create_trial_component(TrialComponentName="c")["TrialComponentArn"]
    begin = datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()
    data = [{"MetricName": "loss", "Timestamp": begin + 10 * n, "Step": 7, "Value": v} for n, v in enumerate(VALUES)]
    assert "Errors" not in lab.metrics.batch_put_metrics(TrialComponentName="c", MetricData=data)
    later = {"MetricName": "loss", "Timestamp": begin + 3600, "Step": 8, "Value": 9.0}
    lab.metrics.batch_put_metrics(TrialComponentName="c", MetricData=[later])
    query = {"MetricName": "loss", "ResourceArn": arn, "MetricStat": statistic}
    by_step = {"Period": "IterationNumber", "XAxisType": "IterationNumber"}
    by_time = {"Period": "OneMinute", "XAxisType": "Timestamp", "End": int(begin) + 60}
    steps, times = lab.metrics.batch_get_metrics(MetricQueries=[{**query, **by_step}, {**query, **by_time}])[
        "MetricQueryResults"
    ]
    assert steps["XAxisValues"] == [7, 8]
    assert steps["MetricValues"][0] == pytest.approx(expected)
    assert (times["Status"], times["XAxisValues"]) == ("Complete", [int(begin)])
    assert times["MetricValues"] == [pytest.approx(expected)]


def test_points_without_a_component_and_queries_that_make_no_sense(lab: Lab) -> None:
    datum = {"MetricName": "m", "Timestamp": 1.0, "Value": 1.0}
    answer = lab.metrics.batch_put_metrics(TrialComponentName="none", MetricData=[datum, datum])
    assert answer["Errors"] == [{"Code": "VALIDATION_ERROR", "MetricIndex": index} for index in (0, 1)]
    query = {
        "MetricName": "m",
        "ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/c",
        "MetricStat": "Min",
        "Period": "OneHour",
        "XAxisType": "IterationNumber",
    }
    (result,) = lab.metrics.batch_get_metrics(MetricQueries=[query])["MetricQueryResults"]
    assert result["Status"] == "ValidationError"
