"""What targets are given, by the examples of the EventBridge user guide's page on input transformation."""

from __future__ import annotations

import json

import pytest

from cloudml_sagemaker.mock.events import inputs

EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "tags": {"a": 1}, "count": 3},
}
PATHS = {"instance": "$.detail.instance-id", "state": "$.detail.state"}


def given(**target: object) -> str:
    return inputs.of(target, EVENT, {"aws.events.rule-name": "example"})


def test_the_event_unless_told_otherwise() -> None:
    assert json.loads(given()) == EVENT


def test_a_constant_and_a_part() -> None:
    assert given(Input='{"a": 1}') == '{"a": 1}'
    assert json.loads(given(InputPath="$.detail")) == EVENT["detail"]
    assert json.loads(given(InputPath="$.resources[0]")) == EVENT["resources"][0]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
        ('{"instance" : <instance>, "state": <state>}', '{"instance" : "i-0123456789", "state": "RUNNING"}'),
        ('{"instance" : "<instance>"}', '{"instance" : "i-0123456789"}'),
        ('{"rule": <aws.events.rule-name>}', '{"rule": "example"}'),
        ('{"n": <absent>}', '{"n": ""}'),
        ("plain <state>", "plain RUNNING"),
        ('{"quote \\" <state>": "<state>"}', '{"quote \\" RUNNING": "RUNNING"}'),
    ],
)
def test_templates(template: str, expected: str) -> None:
    assert given(InputTransformer={"InputPathsMap": PATHS, "InputTemplate": template}) == expected


def test_objects_go_in_whole() -> None:
    paths = {"tags": "$.detail.tags", "count": "$.detail.count"}
    text = given(
        InputTransformer={"InputPathsMap": paths, "InputTemplate": '{"t": <tags>, "n": <count>, "s": "<tags>"}'}
    )
    assert json.loads(text) == {"t": {"a": 1}, "n": 3, "s": '{"a": 1}'}


def test_the_whole_event_with_and_without_detail() -> None:
    text = given(InputTransformer={"InputTemplate": '{"all": <aws.events.event.json>, "head": <aws.events.event>}'})
    read = json.loads(text)
    assert read["all"] == EVENT
    assert read["head"] == {name: value for name, value in EVENT.items() if name != "detail"}


@pytest.mark.parametrize(
    "path", ["detail", "$.detail.none", "$.resources[9]", "$.detail.state.deeper", "$..state", "$["]
)
def test_paths_that_lead_nowhere(path: str) -> None:
    assert inputs.at(path, EVENT) is inputs.ABSENT


def test_quoted_names_in_paths() -> None:
    assert inputs.at("$['detail']['instance-id']", EVENT) == "i-0123456789"


def test_context_attributes_of_a_schedule() -> None:
    text = inputs.context(
        '{"at": "<aws.scheduler.scheduled-time>", "x": "<other>"}', {"aws.scheduler.scheduled-time": "T"}
    )
    assert text == '{"at": "T", "x": "<other>"}'
