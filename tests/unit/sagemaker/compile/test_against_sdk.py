"""What the compiler writes, member by member, beside what AWS's own SDK writes of the same pipelines.

The twins are data: tests/sagemaker_sdk/twins.py builds them in the SDK's own environment, without our compiler. Where
the two may differ stands in DIFFERENCES with the reason; any other difference fails, and so does a row that no longer
says anything.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from compile_lab import Compiled, compiled, target
from twin_pipelines import TWINS

DATA = Path(__file__).parents[3] / "data" / "sagemaker_sdk"
ABSENT = "(absent)"


class Row(NamedTuple):
    """Where the two may differ: a pattern of paths, what either side has there (None: anything), and why."""

    path: str
    ours: Any
    theirs: Any
    why: str


DIFFERENCES = (
    Row(
        "definition/Metadata/cloudml", None, ABSENT,
        "the SDK leaves Metadata empty; in ours the declared parameters travel (the published schema has it as a map)",
    ),
    Row(
        "definition/PipelineExperimentConfig", ABSENT, None,
        "the SDK writes null when no experiment is wanted; the member is optional",
    ),
    Row("definition/MlflowConfig", ABSENT, None, "the SDK always writes null; the member is optional"),
    Row(
        "request/PipelineDisplayName", "samples-aws-made", ABSENT,
        "an optional member of CreatePipeline that the SDK's Pipeline cannot set",
    ),
    Row(
        "*/ProcessingInputs/*/S3Input/S3DataDistributionType", ABSENT, "FullyReplicated",
        "its default (ProcessingS3Input)",
    ),
    Row("*/ProcessingInputs/*/S3Input/S3CompressionType", ABSENT, "None", "its default (ProcessingS3Input)"),
    Row("*/NetworkConfig/EnableNetworkIsolation", ABSENT, False, "its default (NetworkConfig)"),
    Row(
        "*/InputDataConfig/*/InputMode", ABSENT, "File",
        "a channel without its own takes TrainingInputMode, which is File on both sides (Channel)",
    ),
    Row("*/Arguments/HyperParameters", ABSENT, {}, "an optional map; the SDK writes the empty one"),
    Row(
        "*/AlgorithmSpecification/ContainerEntrypoint", ["python3", "/opt/ml/input/data/cloudml/start.py"], ABSENT,
        "ModelTrainer starts only the SDK's own scripts so; that they stand here is the test below",
    ),
    Row("*/AlgorithmSpecification/ContainerArguments", None, ABSENT, "as the entrypoint"),
    Row(
        "*/InstanceType", None, "ml.m5.large",
        "cloudml picks it from its own table by cores and memory (machines.py), the SDK has none",
    ),
)  # fmt: skip


def differences(ours: Any, theirs: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every place where two documents differ, types included: 1, 1.0 and True are three values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}/{number}")
    elif json.dumps(ours) != json.dumps(theirs):
        yield path, ours, theirs


def normalised(document: Any) -> Any:
    """A document whose lists without an order are sorted, and each exception type has its own retry policy.

    The SDK has one class of policies for the faults of steps and one for those of jobs; on the wire both are policies.
    """
    if isinstance(document, list):
        return [normalised(one) for one in document]
    if not isinstance(document, dict):
        return document
    found = {key: normalised(value) for key, value in document.items()}
    if "RetryPolicies" in found:
        single = [{**one, "ExceptionType": [kind]} for one in found["RetryPolicies"] for kind in one["ExceptionType"]]
        found["RetryPolicies"] = sorted(single, key=lambda one: str(one["ExceptionType"]))
    for key in ("DependsOn", "Tags"):
        if key in found:
            found[key] = sorted(found[key], key=json.dumps)
    return found


def _ours(name: str) -> tuple[Compiled, dict[str, Any]]:
    make, settings = TWINS[name]
    made = compiled(make(), target(**settings))
    text = json.dumps({"request": made.pipeline, "definition": made.definition})
    for code in made.of_kind("job_code"):
        text = text.replace(code.document["prefix"], f"s3://my-bucket/samples/aws/jobs/code-of-{code.name}/")
    document = json.loads(text)
    del document["request"]["definition"]
    return made, document


@cache
def _found(name: str) -> tuple[tuple[str, Any, Any], ...]:
    document = json.loads((DATA / "twins" / f"{name}.json").read_text(encoding="utf-8"))
    _, ours = _ours(name)
    members = ("request", "definition")
    return tuple(
        one for part in members for one in differences(normalised(ours[part]), normalised(document[part]), part)
    )


def _explains(row: Row, found: tuple[str, Any, Any]) -> bool:
    path, ours, theirs = found
    sides = ((row.ours, ours), (row.theirs, theirs))
    return fnmatch.fnmatchcase(path, row.path) and all(
        wanted == seen if wanted is not None else seen != ABSENT for wanted, seen in sides
    )


@pytest.mark.parametrize("name", TWINS)
def test_the_compiler_writes_what_the_sdk_writes(name: str) -> None:
    unexplained = [
        f"{path}: ours {ours!r}, the SDK's {theirs!r}"
        for path, ours, theirs in _found(name)
        if not any(_explains(row, (path, ours, theirs)) for row in DIFFERENCES)
    ]
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.path)
def test_every_row_explains_something(row: Row) -> None:
    assert any(_explains(row, found) for name in TWINS for found in _found(name)), row.why


def test_each_twin_has_its_data_and_the_other_way_round() -> None:
    kept = {path.stem for path in (DATA / "twins").glob("*.json")}
    assert kept == set(TWINS)


def test_the_twins_hold_each_kind_of_step_and_expression() -> None:
    """So that nothing passes because it is not there."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((DATA / "twins").glob("*.json"))]
    kinds = {kind for text in texts for kind in re.findall(r'"Type": "([A-Za-z]+)"', text)}
    assert {
        "Processing", "Training", "Tuning", "Condition", "Fail", "Callback", "ForEach",
        "String", "Integer", "Float", "Boolean",
        "Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "In", "Not", "Or",
    } <= kinds  # fmt: skip
    words = (
        "Std:Join", "Std:JsonGet", "PropertyFiles", "CacheConfig", "RetryPolicies", "DependsOn", "Trigger",
        "ParallelismConfiguration", "CheckpointConfig", "EnableManagedSpotTraining", "MetricDefinitions", "EnumValues",
        "ForEach.CurrentItem", "OutputParameters['who']", "ModelArtifacts.S3ModelArtifacts", "KmsKeyId", "VpcConfig",
    )  # fmt: skip
    assert [word for word in words if not any(word in text for text in texts)] == []


def test_the_sdk_starts_its_own_scripts_where_ours_start() -> None:
    """Its training jobs with `source_code` have the same two members, lists of texts, at the same place."""
    document = json.loads((DATA / "gated_training.json").read_text(encoding="utf-8"))
    [train] = [step for step in document["definition"]["Steps"] if step["Type"] == "Training"]
    theirs = train["Arguments"]["AlgorithmSpecification"]
    made, _ = _ours("jobs")
    ours = made.arguments("plain")["AlgorithmSpecification"]
    for member in ("ContainerEntrypoint", "ContainerArguments"):
        assert isinstance(theirs[member], list)
        assert isinstance(ours[member], list)
    assert ours["ContainerEntrypoint"][0] == "python3"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Steps", 0, "Arguments", "StoppingCondition", "MaxRuntimeInSeconds"), 4623),
        (("Steps", 0, "CacheConfig", "Enabled"), 1),
        (("Steps", 1, "RetryPolicies", 0, "MaxAttempts"), 4),
        (("Steps", 2, "DependsOn"), []),
        (("Parameters", 0, "DefaultValue"), 4.0),
        (("Steps", 1, "Arguments", "ResourceConfig", "InstanceCount"), 1),
    ],
)
def test_a_small_difference_is_seen(path: tuple[Any, ...], value: object) -> None:
    """The comparison itself: one changed member of ours is found, and no row explains it."""
    _, document = _ours("jobs")
    place: Any = document["definition"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    twin = json.loads((DATA / "twins" / "jobs.json").read_text(encoding="utf-8"))
    found = list(differences(normalised(document["definition"]), normalised(twin["definition"]), "definition"))
    assert [one for one in found if not any(_explains(row, one) for row in DIFFERENCES)]
