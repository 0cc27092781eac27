"""Destroy: everything of ours goes, and nothing else, however much alike it looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from resources_lab import Lab, named

from cloudml.errors import Refused
from cloudml.remote import state
from cloudml.remote.journal import Journal
from cloudml.remote.state import Step
from cloudml_sagemaker import names
from cloudml_sagemaker.resources import cloud, leftovers, tags

EMPTY = {
    "objects": [],
    "pipelines": [],
    "groups": [],
    "models": [],
    "configs": [],
    "queues": [],
    "schedules": [],
    "schedule_groups": [],
}


def service(lab: Lab) -> str:
    """The name of what a deploy step made."""
    return f"{names.resource(lab.project, lab.target, 'service')}-1-0a1b2c3d"


def served(lab: Lab, name: str, identity: dict[str, str] | None = None) -> None:
    """A model and a configuration as a deploy step leaves them; without tags when there is no identity."""
    labels = tags.listed(identity or {})
    image = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/i:1"}
    role = "arn:aws:iam::123456789012:role/ml"
    lab.client.call(
        "sagemaker", "CreateModel", ModelName=name, ExecutionRoleArn=role, PrimaryContainer=image, Tags=labels
    )
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    lab.client.call(
        "sagemaker", "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], Tags=labels
    )


def identity(lab: Lab) -> dict[str, str]:
    return {"cloudml:project": lab.project, "cloudml:target": lab.target}


def put(lab: Lab, key: str, content: bytes = b"x") -> None:
    lab.client.call("s3", "PutObject", Bucket="data", Key=key, Body=content)


def everything(lab: Lab) -> None:
    """A deployment that was used: a version, a model in service once, data of runs."""
    resources = lab.resources()
    lab.apply(resources)
    lab.version(named(resources, "model_group").name)
    served(lab, service(lab), identity(lab))
    for folder in ("runs/abc", "inputs/0a", "models/m", "checkpoints/c", "capture/e", "monitors/m", "endpoints"):
        put(lab, f"{lab.place.prefix}/{folder}/file.json")


def test_nothing_is_left_and_a_rehearsal_tells_so_before(lab: Lab) -> None:
    everything(lab)
    before = lab.account()
    lab.client.writes.clear()
    rehearsed = lab.destroy(dry_run=True)
    assert lab.client.writes == []
    assert lab.account() == before
    assert rehearsed.dry_run
    told = lab.destroy()
    assert {(one.kind, one.name) for one in told.removed} == {(one.kind, one.name) for one in rehearsed.removed}
    assert told.complete, [one for one in told.removed if one.problem]
    assert lab.account() == EMPTY
    assert {one.kind for one in told.removed} >= {
        "schedule", "schedule_group", "endpoint_config", "model", "pipeline", "queue", "model_group", "objects",
    }  # fmt: skip
    assert any("CloudWatch Logs" in one for one in told.kept)
    again = lab.destroy()
    assert (again.removed, again.complete) == ((), True)


def test_data_stay_when_they_are_to_be_kept(lab: Lab) -> None:
    everything(lab)
    told = lab.destroy(keep_data=True)
    assert told.complete
    left = lab.account()
    assert left["groups"]
    assert left["pipelines"] == left["models"] == left["schedules"] == []
    folders = {key.split("/")[2] for key in left["objects"]}
    assert folders == {*leftovers.DATA, "cloudml.json"}
    assert lab.destroy().complete
    assert lab.account() == EMPTY


ALIKE = (
    ("samples", "test2"),  # its names begin as ours do
    ("samples", "tes"),
    ("samples_test", "x"),
    ("Samples", "test"),  # the same names but for capitals, which are hashed
)


def test_others_that_look_alike_are_untouched(lab: Lab, another: Callable[..., Lab]) -> None:
    neighbours = [another(project=project, target=target) for project, target in ALIKE]
    for one in neighbours:
        everything(one)
    before = lab.account()
    everything(lab)
    assert lab.destroy().complete
    assert lab.account() == before
    assert not [one.where for one in neighbours if one.plan(one.resources()).has_changes]


def test_what_others_made_without_our_tags_stays_whatever_its_name(lab: Lab) -> None:
    everything(lab)
    mine = ("samples-test-mine", "samples-test-service-9-00000000")
    for name in mine:
        served(lab, name)
        lab.client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
        lab.client.call("sqs", "CreateQueue", QueueName=name)
        lab.client.call("scheduler", "CreateScheduleGroup", Name=name)
    half = [{"Key": "cloudml:project", "Value": "samples"}]
    lab.client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="samples-test-half", Tags=half)
    schedule = named(lab.resources(), "schedule").document
    lab.client.call("scheduler", "CreateSchedule", **{**schedule, "GroupName": "default"})
    others = ("samples/test2/runs/a.json", "samples/testing.txt", "samples/test/notes/mine.txt", "runs/a.json")
    for key in others:
        put(lab, key)
    assert lab.destroy().complete
    left = lab.account()
    assert sorted(left["objects"]) == sorted(others)
    assert left["models"] and set(left["models"]) == set(left["configs"]) == set(mine)
    assert set(left["groups"]) == {*mine, "samples-test-half"}
    assert set(left["queues"]) == set(left["schedule_groups"]) == set(mine)
    assert left["schedules"] == [schedule["Name"]]


def test_a_target_below_our_prefix_is_left_out(lab: Lab) -> None:
    everything(lab)
    put(lab, "samples/test/runs/guest/cloudml.json", json.dumps({"project": "guest", "target": "t"}).encode())
    put(lab, "samples/test/runs/guest/models/m.json")
    put(lab, "samples/test/runs/abc/cloudml.json", b"a result of that name")
    assert lab.destroy().complete
    assert lab.account()["objects"] == ["samples/test/runs/guest/cloudml.json", "samples/test/runs/guest/models/m.json"]


def test_a_prefix_without_our_mark_is_left_alone(lab: Lab) -> None:
    put(lab, "samples/test/runs/somebody.json")
    told = lab.destroy()
    assert told.complete
    assert any("bears no mark" in one for one in told.kept)
    assert lab.listed() == ["samples/test/runs/somebody.json"]


def test_while_somebody_applies_nothing_is_removed(lab: Lab) -> None:
    lab.apply(lab.resources())
    before = lab.account()
    name = cloud.name_of(lab.resources())
    with Journal(lab.world, name, state.read(lab.world, name), [Step("create", "queue", "q")]):
        assert lab.destroy(dry_run=True).removed
        with pytest.raises(Refused) as caught:
            lab.destroy()
    assert caught.value.code == "CML531"
    assert lab.account() == before
    known = state.read(lab.world, name)
    assert known.pending is not None
    state.write(lab.world, name, replace(known, pending=replace(known.pending, failed="interrupted")))
    assert lab.destroy().complete, "one that was cut off is in nobody's way"


def test_state_that_cannot_be_read_keeps_nobody_from_destroying(lab: Lab) -> None:
    lab.apply(lab.resources())
    put(lab, f"samples/test/state/{cloud.name_of(lab.resources())}.json", b"{")
    assert lab.destroy().complete
    assert lab.account() == EMPTY


def test_a_definition_of_a_monitor_without_its_schedule_goes_too(lab: Lab) -> None:
    """As a step leaves it that is killed between the two."""
    lab.apply(lab.resources())
    folder = "s3://data/samples/test/monitors/m"
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}
    output = {"S3Uri": folder, "LocalPath": "/opt/ml/processing/output"}
    lab.client.call(
        "sagemaker", "CreateDataQualityJobDefinition", JobDefinitionName="samples-test-service-drift-0a1b2c3d",
        DataQualityAppSpecification={"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/i:1"},
        DataQualityJobInput={"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/input"}},
        DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": output}]},
        JobResources={"ClusterConfig": cluster}, RoleArn="arn:aws:iam::123456789012:role/ml",
        Tags=tags.listed(identity(lab)),
    )  # fmt: skip
    assert "monitor_definition" in {one.kind for one in lab.destroy().removed}
    listing = ("ListDataQualityJobDefinitions", "JobDefinitionSummaries")
    assert not [*lab.client.pages("sagemaker", *listing)]


def test_another_s_prefix_is_refused(lab: Lab) -> None:
    put(lab, "samples/test/cloudml.json", json.dumps({"project": "other", "target": "test"}).encode())
    with pytest.raises(Refused) as caught:
        lab.destroy()
    assert caught.value.code == "CML532"


def test_runs_are_stopped_first_also_those_that_wait_for_a_person(lab: Lab) -> None:
    resources = lab.resources("sample_models:expiring", schedule=None)
    lab.apply(resources)
    name = named(resources, "pipeline").name
    lab.client.call("sagemaker", "StartPipelineExecution", PipelineName=name)
    rehearsed = lab.destroy(dry_run=True)
    assert [one.kind for one in rehearsed.removed].count("run") == 1
    told = lab.destroy()
    assert told.complete, [one for one in told.removed if one.problem]
    assert lab.account() == EMPTY


def test_versions_of_a_versioned_bucket_go_too(lab: Lab) -> None:
    lab.client.call("s3", "PutBucketVersioning", Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    everything(lab)
    put(lab, "samples/test/runs/abc/file.json", b"newer")
    lab.client.call("s3", "DeleteObject", Bucket="data", Key="samples/test/models/m/file.json")
    assert lab.destroy().complete
    left = lab.client.call("s3", "ListObjectVersions", Bucket="data")
    assert not left.get("Versions") and not left.get("DeleteMarkers")


def test_many_objects_go_in_batches(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_BATCH", 4)
    lab.apply(lab.resources())
    for number in range(9):
        put(lab, f"samples/test/runs/r/{number}")
    lab.client.writes.clear()
    assert lab.destroy().complete
    assert lab.listed() == []
    assert lab.client.writes.count("DeleteObjects") == 3 + 1 + 1 + 1, "runs, one job of three objects, state, the mark"


def test_what_cannot_be_removed_is_told_and_the_rest_goes_on(lab: Lab) -> None:
    everything(lab)
    lab.mock.add_fault("internal-error:DeleteModelPackageGroup")
    told = lab.destroy()
    assert not told.complete
    [problem] = [one for one in told.removed if one.problem]
    assert problem.kind == "model_group"
    assert lab.account()["pipelines"] == []
    assert lab.listed() == ["samples/test/cloudml.json"], "as long as anything is left, the prefix is ours"
    lab.mock.clear_faults()
    assert lab.destroy().complete
    assert lab.account() == EMPTY


def test_under_faults_it_ends_or_says_what_is_left(lab: Lab) -> None:
    everything(lab)
    for rule in ("throttle:*", "internal-error:*", "lost-response:*"):
        lab.mock.add_fault(f"{rule},probability=0.1,seed=2")
    for _ in range(5):
        if lab.destroy().complete:
            break
    lab.mock.clear_faults()
    assert lab.destroy().complete
    assert lab.account() == EMPTY
