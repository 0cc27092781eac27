"""Search: operators, nesting, combination, order and pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tracking_lab import Lab, refused

BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def jobs(lab: Lab) -> Lab:
    """Training jobs j0..j4: eta 0.0..0.4, auc 0.5..0.9, made an hour apart."""
    for number in range(5):
        name = f"j{number}"
        lab.keep(
            "TrainingJob",
            name,
            TrainingJobName=name,
            TrainingJobArn=f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}",
            TrainingJobStatus="Failed" if number == 3 else "Completed",
            HyperParameters={"eta": f"0.{number}"},
            FinalMetricDataList=[
                {"MetricName": "auc", "Value": 0.5 + number / 10, "Timestamp": BEGIN},
                {"MetricName": "loss", "Value": 9.0, "Timestamp": BEGIN},
            ],
            EnableNetworkIsolation=number == 2,
            InputDataConfig=[
                {"ChannelName": "train", "ContentType": f"text/{number}"},
                {"ChannelName": "test", "ContentType": "text/csv"},
            ],
            CreationTime=BEGIN + 3600 * number,
            LastModifiedTime=BEGIN + 3600 * number,
        )
    lab.keep("_tags", "arn:aws:sagemaker:us-east-1:123456789012:training-job/j1", team="red")
    return lab


def names(rows: list[dict[str, Any]]) -> str:
    return " ".join(sorted(row["TrainingJobName"] for row in rows))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("TrainingJobName", "Equals", "j1"), "j1"),
        (("TrainingJobName", "NotEquals", "j1"), "j0 j2 j3 j4"),
        (("TrainingJobName", "Contains", "j"), "j0 j1 j2 j3 j4"),
        (("TrainingJobName", "In", "j1, j4,none"), "j1 j4"),
        (("TrainingJobStatus", "Equals", "Failed"), "j3"),
        (("HyperParameters.eta", "GreaterThan", "0.2"), "j3 j4"),
        (("HyperParameters.eta", "LessThanOrEqualTo", "0.1"), "j0 j1"),
        (("Metrics.auc", "GreaterThanOrEqualTo", "0.8"), "j3 j4"),
        (("Metrics.loss", "LessThan", "9"), ""),
        (("CreationTime", "GreaterThan", "2026-11-23T11:30:00Z"), "j3 j4"),
        (("CreationTime", "LessThan", str(BEGIN + 10)), "j0"),
        (("EnableNetworkIsolation", "Equals", "true"), "j2"),
        (("Tags.team", "Equals", "red"), "j1"),
        (("Tags.team", "Exists"), "j1"),
        (("Tags.team", "NotExists"), "j0 j2 j3 j4"),
        (("FailureReason", "NotExists"), "j0 j1 j2 j3 j4"),
        (("InputDataConfig.ContentType", "Equals", "text/csv"), "j0 j1 j2 j3 j4"),
    ],
)
def test_operators(jobs: Lab, condition: tuple[str, ...], expected: str) -> None:
    assert names(jobs.search("TrainingJob", condition)) == expected


def test_nested_filters_hold_for_one_item(jobs: Lab) -> None:
    def nested(channel: str, content: str) -> str:
        filters = [
            {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": channel},
            {"Name": "InputDataConfig.ContentType", "Operator": "Equals", "Value": content},
        ]
        also = {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": filters}]}
        return names(jobs.search("TrainingJob", also=also))

    assert nested("train", "text/2") == "j2"
    assert nested("train", "text/csv") == ""


def test_expressions_combine(jobs: Lab) -> None:
    first, last = (("TrainingJobName", "Equals", name) for name in ("j0", "j4"))
    assert names(jobs.search("TrainingJob", first, last)) == ""
    assert names(jobs.search("TrainingJob", first, last, also={"Operator": "Or"})) == "j0 j4"
    sub = {"Filters": [{"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"}]}
    assert names(jobs.search("TrainingJob", first, also={"Operator": "Or", "SubExpressions": [sub]})) == "j0 j3"


def test_order_and_pages(jobs: Lab) -> None:
    rows = jobs.search("TrainingJob", SortBy="Metrics.auc", SortOrder="Ascending", MaxResults=2)
    assert [row["TrainingJobName"] for row in rows] == ["j0", "j1"]
    assert [row["TrainingJobName"] for row in jobs.search("TrainingJob")] == ["j4", "j3", "j2", "j1", "j0"]
    pages = jobs.sm.get_paginator("search").paginate(Resource="TrainingJob", PaginationConfig={"PageSize": 2})
    assert [len(page["Results"]) for page in pages] == [2, 2, 1]


def test_other_resources(lab: Lab) -> None:
    lab.sm.create_experiment(ExperimentName="e", Tags=[{"Key": "a", "Value": "b"}])
    (row,) = lab.search("Experiment", ("Tags.a", "Equals", "b"))
    assert (row["ExperimentName"], row["Tags"]) == ("e", [{"Key": "a", "Value": "b"}])
    assert lab.search("PipelineExecution") == []
    assert refused(lab.sm.search, Resource="FeatureGroup") == "ValidationException"
    wrong = {"Filters": [{"Name": "a", "Operator": "Exists", "Value": "b"}]}
    assert refused(lab.sm.search, Resource="TrainingJob", SearchExpression=wrong) == "ValidationException"
    wrong = {"Filters": [{"Name": "a", "Operator": "Equals"}]}
    assert refused(lab.sm.search, Resource="TrainingJob", SearchExpression=wrong) == "ValidationException"


def test_suggestions(jobs: Lab) -> None:
    query = {"PropertyNameQuery": {"PropertyNameHint": "HyperParameters."}}
    found = jobs.sm.get_search_suggestions(Resource="TrainingJob", SuggestionQuery=query)["PropertyNameSuggestions"]
    assert found == [{"PropertyName": "HyperParameters.eta"}]
    query = {"PropertyNameQuery": {"PropertyNameHint": "metrics."}}
    found = jobs.sm.get_search_suggestions(Resource="TrainingJob", SuggestionQuery=query)["PropertyNameSuggestions"]
    assert found == [{"PropertyName": "Metrics.auc"}, {"PropertyName": "Metrics.loss"}]


def test_a_components_trials_are_found_by_search(lab: Lab) -> None:
    sm = lab.sm
    sm.create_experiment(ExperimentName="e")
    sm.create_trial(TrialName="t", ExperimentName="e")
    for name in ("in", "out"):
        sm.create_trial_component(TrialComponentName=name)
    sm.associate_trial_component(TrialComponentName="in", TrialName="t")
    (row,) = lab.search("ExperimentTrialComponent", ("Parents.TrialName", "Equals", "t"))
    assert (row["TrialComponentName"], row["Parents"]) == ("in", [{"TrialName": "t", "ExperimentName": "e"}])


def test_an_endpoint_comes_with_its_monitoring_schedules_and_model_cards_are_found(lab: Lab) -> None:
    lab.keep("Endpoint", "live", EndpointName="live", EndpointArn="arn:e")
    for name, endpoint in (("mine", "live"), ("other", "else")):
        lab.keep("MonitoringSchedule", name, MonitoringScheduleName=name, EndpointName=endpoint)
    (row,) = lab.search("Endpoint")
    assert [one["MonitoringScheduleName"] for one in row["MonitoringSchedules"]] == ["mine"]
    lab.sm.create_model_card(ModelCardName="c", Content="{}", ModelCardStatus="Draft")
    (card,) = lab.search("ModelCard", ("ModelCardStatus", "Equals", "Draft"))
    assert card["ModelCardName"] == "c"


def test_a_search_expression_has_fifty_parts_at_most(lab: Lab) -> None:
    def parts(number: int) -> dict[str, Any]:
        """A sub-expression counts like the filters inside."""
        one = {"Name": "TrainingJobName", "Operator": "Exists"}
        inside = [{"Filters": [one] * 20} for _ in range(2)]
        return {"Filters": [one] * (number - 42), "SubExpressions": inside}

    assert lab.sm.search(Resource="TrainingJob", SearchExpression=parts(50))["Results"] == []
    assert refused(lab.sm.search, Resource="TrainingJob", SearchExpression=parts(51)) == "ValidationException"
