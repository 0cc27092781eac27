"""What kinds have in common: comparing what AWS shows with what was declared, and telling whose a thing is."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml.backend.port import Target
from cloudml.plan import Resource
from cloudml.plan.resource import digest_of
from cloudml.remote import job_code
from cloudml.testing.harness import SAMPLES
from cloudml_sagemaker import names
from cloudml_sagemaker.resources import cloud, tags
from cloudml_sagemaker.resources.kind import reduced
from cloudml_sagemaker.resources.table import KINDS
from cloudml_sagemaker.target import Place


@pytest.mark.parametrize(
    ("live", "declared", "expected"),
    [
        ({"A": 1, "Default": 2}, {"A": 3}, {"A": 1}),
        ({"T": {"A": 1, "Retry": 5}}, {"T": {"A": 1}}, {"T": {"A": 1}}),
        ({}, {"A": 1}, {}),
        ({"A": None}, {"A": 1}, {}),
        ({"T": {}}, {"T": {"List": []}}, {"T": {"List": []}}),
        ({"T": {"Arn": "a"}}, {"T": {"Arn": "a", "List": []}}, {"T": {"Arn": "a", "List": []}}),
        ({"D": ""}, {"D": "text"}, {}),
        (
            [{"Key": "b", "Value": "2"}, {"Key": "x", "Value": "9"}, {"Key": "a", "Value": "1"}],
            [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "0"}],
            [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        ),
        (
            [{"Name": "q", "Value": 2, "More": 1}, {"Name": "p", "Value": 1}],
            [{"Name": "q", "Value": 1}],
            [{"Name": "q", "Value": 2}, {"Name": "p", "Value": 1}],
        ),
        ([{"A": 1, "B": 2}], [{"A": 5}], [{"A": 1}]),
        ([1, 2], [1], [1, 2]),
        (True, "true", True),
    ],
)
def test_reduced(live: Any, declared: Any, expected: Any) -> None:
    assert reduced(live, declared) == expected


def place(project: str, target: str) -> Place:
    settings = {"region": "us-east-1", "role": "arn:aws:iam::123456789012:role/ml", "bucket": "data"}
    return Place.of(Target(target, "sagemaker", project, SAMPLES, {**settings, "prefix": "p"}))


@pytest.mark.parametrize("project", ["churn", "churn_2", "Churn", "_a", "a" * 60, "x-y", "___"])
@pytest.mark.parametrize("target", ["dev", "dev-2", "Prod", "t" * 50])
@pytest.mark.parametrize("name", ["m", "Model_x", "n" * 80, "a--b"])
def test_every_name_of_a_target_begins_with_its_stem(project: str, target: str, name: str) -> None:
    stem = tags.stem(place(project, target))
    assert names.resource(project, target, name).startswith(stem)
    assert names.pipeline(project, target, name).startswith(stem)
    assert names.resource(project, target).startswith(stem)


def test_ours_is_what_bears_both_tags_to_the_letter() -> None:
    here = place("churn", "dev")
    ours = {"cloudml:project": "churn", "cloudml:target": "dev"}
    assert tags.is_ours({**ours, "more": "x"}, here)
    assert not tags.is_ours({**ours, "cloudml:target": "dev2"}, here)
    assert not tags.is_ours({**ours, "cloudml:project": "Churn"}, here)
    assert not tags.is_ours({"cloudml:project": "churn"}, here)
    assert not tags.is_ours({}, here)


def test_tags_that_are_too_many_are_told_by_their_paths() -> None:
    fields = ("Tags.a", "Tags.b.c", "Tags.kept.Value", "Other.d")
    assert tags.superfluous({"kept": "1"}, fields, "Tags") == ["a", "b.c"]


def test_job_code_is_remembered_in_short() -> None:
    files = {"start.py": "s", "step.json": {"step": "a"}, "bundle.tar.gz": {"library": "l"}}
    document = {"prefix": "s3://b/p/jobs/1/", "files": files}
    brief = job_code.brief(document)
    assert brief["files"]["step.json"] == digest_of({"step": "a"}).removeprefix("sha256:")
    assert job_code.recalled(brief, document) == document
    other = {"prefix": "s3://b/p/jobs/2/", "files": {**files, "step.json": {"step": "b"}}}
    again = job_code.recalled(brief, other)
    assert (again["prefix"], again["files"]["start.py"]) == ("s3://b/p/jobs/1/", "s")
    assert again["files"]["bundle.tar.gz"] == other["files"]["bundle.tar.gz"]  # type: ignore[index]
    assert again["files"]["step.json"] == brief["files"]["step.json"]


def test_the_pipeline_of_a_monitor_names_no_state() -> None:
    def pipeline(name: str, *keys: str) -> Resource:
        return Resource.of("pipeline", name, {"Tags": [{"Key": key, "Value": "x"} for key in keys]})

    found = cloud.name_of(
        [pipeline("watch", "cloudml:monitor", "cloudml:pipeline"), pipeline("main", "cloudml:pipeline")]
    )
    assert found == "main"
    with pytest.raises(ValueError, match="no pipeline"):
        cloud.name_of([pipeline("watch", "cloudml:monitor")])


def test_things_are_made_before_what_stands_on_them() -> None:
    order = [*KINDS]
    for first, then in [
        ("job_code", "pipeline"),
        ("queue", "pipeline"),
        ("topic", "alarm"),
        ("alarm", "endpoint"),
        ("pipeline", "schedule"),
        ("schedule_group", "schedule"),
        ("endpoint", "monitor"),
    ]:
        assert order.index(first) < order.index(then)
