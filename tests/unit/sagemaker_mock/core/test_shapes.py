"""Strict shapes: what botocore's own validator lets through is refused; what AWS's examples hold is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cloudml_sagemaker.service.model import input_shape, operation_names, output_shape, service_model
from cloudml_sagemaker.service.shapes import pattern, problems, prune

VALID: dict[str, Any] = {
    "ProcessingJobName": "churn-features",
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
    "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"},
    "Environment": {"LEVEL": "info"},
    "RoleArn": "arn:aws:iam::123456789012:role/ml",
}


def _damaged(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(VALID)
    *parents, last = path.split(".")
    place = request
    for parent in parents:
        place = place[parent]
    place[last] = value
    return request


def test_a_right_request_has_no_problems() -> None:
    assert problems(input_shape("CreateProcessingJob"), VALID) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("ProcessingResources.ClusterConfig.InstanceType", "ml.banana", "enum value set"),
        ("ProcessingResources.ClusterConfig.InstanceCount", 101, "less than or equal to 100"),
        ("ProcessingResources.ClusterConfig.InstanceCount", 0, "greater than or equal to 1"),
        ("ProcessingResources.ClusterConfig.InstanceCount", "1", "an integer"),
        ("ProcessingResources.ClusterConfig.InstanceCount", True, "an integer"),
        ("ProcessingJobName", "under_score", "regular expression pattern"),
        ("ProcessingJobName", "x" * 64, "length less than or equal to 63"),
        ("ProcessingJobName", "", "regular expression pattern"),
        ("Environment", {f"K{n}": "v" for n in range(101)}, "length less than or equal to 100"),
        ("Environment", {"1-bad": "v"}, "regular expression pattern"),
        ("RoleArn", None, "must not be null"),
        ("AppSpecification.Entrypoint", ["x"], "Unknown member 'Entrypoint'"),
        ("AppSpecification", "image", "an object"),
        ("AppSpecification.ContainerArguments", "x", "a list"),
        ("AppSpecification.ContainerArguments", ["x"] * 101, "length less than or equal to 100"),
        ("AppSpecification.ContainerArguments", [None], "must not be null"),
    ],
)
def test_each_constraint_of_the_model_is_held(path: str, value: Any, words: str) -> None:
    found = problems(input_shape("CreateProcessingJob"), _damaged(path, value))
    assert any(words in problem for problem in found), found


def test_every_problem_is_told_at_its_path_in_lower_camel_case() -> None:
    request = _damaged("ProcessingResources.ClusterConfig.VolumeSizeInGB", 0)
    del request["RoleArn"]
    assert sorted(problems(input_shape("CreateProcessingJob"), request)) == [
        "Value '0' at 'processingResources.clusterConfig.volumeSizeInGB' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
        "Value 'null' at 'roleArn' failed to satisfy constraint: Member must not be null",
    ]


def test_values_known_only_later_and_optional_members_are_left_out() -> None:
    request = _damaged("ProcessingResources.ClusterConfig.InstanceType", {"Get": "Parameters.Type"})
    del request["ProcessingJobName"]
    found = problems(
        input_shape("CreateProcessingJob"),
        request,
        dynamic=lambda value: isinstance(value, dict) and set(value) == {"Get"},
        optional=frozenset({"ProcessingJobName"}),
    )
    assert found == []


def test_unknown_members_may_be_left_out_instead() -> None:
    assert problems(input_shape("CreateProcessingJob"), {**VALID, "Foo": 1}, strict=False) == []


def test_every_pattern_of_the_model_compiles() -> None:
    model = service_model("sagemaker")
    sources = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}
    assert len(sources) > 200
    for source in sources:
        pattern(source)


@pytest.mark.parametrize(
    ("text", "fits"), [("team/ml: x=1+2@-", True), ("Größe", True), ("a\tb", False), ("50%", False)]
)
def test_the_patterns_that_only_java_reads(text: str, fits: bool) -> None:
    # TagValue: letters, separators, digits and _ . : / = + - @ of any script
    shape = service_model("sagemaker").shape_for("TagValue")
    assert (pattern(shape.metadata["pattern"]).fullmatch(text) is not None) is fits


def test_responses_keep_only_what_the_model_knows() -> None:
    document = {"ModelName": "m", "_secret": 1, "PrimaryContainer": {"Image": "i", "_x": 1, "Mode": None}}
    assert prune(output_shape("DescribeModel"), document) == {"ModelName": "m", "PrimaryContainer": {"Image": "i"}}
    assert prune(None, {"x": 1}) == {}


def test_the_model_is_the_whole_service() -> None:
    assert {"CreatePipeline", "UpdateEndpoint", "CreateMonitoringSchedule"} <= operation_names()
    assert operation_names("sagemaker-runtime") >= {"InvokeEndpoint"}
