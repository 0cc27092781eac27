"""Apply: once makes all, twice makes nothing; what others changed is seen and put right; nothing is made twice."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from resources_lab import DAILY, Lab, actions, named

from cloudml import spec
from cloudml.errors import BackendError, Refused
from cloudml.plan import Resource
from cloudml.remote import upload

KINDS = ("queue", "pipeline", "model_group", "schedule", "schedule_group")


def test_an_apply_makes_everything_and_another_one_nothing(lab: Lab) -> None:
    resources = lab.resources(jobs=9)
    plan = lab.plan(resources)
    assert {change.action for change in plan.changes} == {"create"}
    lab.apply(resources, plan)
    again = lab.plan(resources)
    assert not again.has_changes, [change for change in again.changes if change.action != "none"]
    assert lab.apply(resources, again) == []
    assert lab.anew().plan(resources) == again, "another process sees the same world"

    pipeline = named(resources, "pipeline")
    told = lab.client.call("sagemaker", "DescribePipeline", PipelineName=pipeline.name)
    assert json.loads(told["PipelineDefinition"]) == pipeline.document["definition"]
    code = [one.document["prefix"].partition("s3://data/")[2] for one in resources if one.kind == "job_code"]
    assert all(f"{prefix}step.json" in lab.listed() for prefix in code)
    assert json.loads(lab.client.read("s3://data/samples/test/cloudml.json")) == {
        "project": "samples",
        "target": "test",
    }


def test_the_state_tells_what_was_applied_by_whom_and_with_what(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    name = named(resources, "pipeline").name
    state = json.loads(lab.client.read(f"s3://data/samples/test/state/{name}.json"))
    assert state["pending"] is None
    assert {(one["kind"], one["name"], one["digest"]) for one in state["applied"]} == {
        (one.kind, one.name, one.digest) for one in resources
    }
    assert state["by"] == lab.client.call("sts", "GetCallerIdentity")["Arn"]
    import botocore

    assert state["botocore"] == botocore.__version__


def test_a_changed_declaration_is_an_update_of_what_changed(lab: Lab) -> None:
    lab.apply(lab.resources(description="first", max_parallel=3))
    resources = lab.resources(description=None, max_parallel=None, schedule=spec.Cron(expression="30 5 * * *"))
    plan = lab.plan(resources)
    assert {kind for kind, action in actions(plan).items() if action != "none"} == {"pipeline", "schedule"}
    changes = {change.kind: change for change in plan.changes}
    assert set(changes["pipeline"].fields) == {"PipelineDescription", "ParallelismConfiguration"}
    assert changes["schedule"].fields == ("ScheduleExpression",)
    assert not changes["pipeline"].drift, "nobody but us changed it"
    writes = lab.apply(resources, plan)
    assert [one for one in writes if one != "PutObject"] == ["UpdatePipeline", "UpdateSchedule"]
    assert not lab.plan(resources).has_changes


def test_job_code_that_changed_is_an_update_and_the_old_one_stays(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    code = next(one for one in resources if one.kind == "job_code")
    files = code.document["files"]
    step = {**files["step.json"], "seed": 7}
    document = {"prefix": "s3://data/samples/test/jobs/new/", "files": {**files, "step.json": step}}
    new = Resource.of("job_code", code.name, document)
    changed = [new if one is code else one for one in resources]
    [change] = [one for one in lab.plan(changed).changes if one.action != "none"]
    assert (change.action, change.fields) == ("update", ("files.step.json", "prefix"))
    lab.apply(changed)
    old = code.document["prefix"].removeprefix("s3://data/")
    assert {f"{old}step.json", "samples/test/jobs/new/step.json"} <= set(lab.listed())
    assert not lab.plan(changed).has_changes


def test_a_bundle_that_jobs_share_is_sent_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_WORTH_A_COPY", 1)
    sent: list[str] = []
    plain = lab.client.call

    def counting(service: str, operation: str, /, **request: object) -> dict[str, object]:
        if operation == "PutObject":
            sent.append(str(request["Key"]))
        return plain(service, operation, **request)  # type: ignore[arg-type]

    lab.client.call = counting  # type: ignore[method-assign, assignment]
    resources = lab.resources("sample_models:registered", jobs=9)
    lab.apply(resources)
    jobs = [one for one in resources if one.kind == "job_code"]
    bundles = {json.dumps(one.document["files"]["bundle.tar.gz"], sort_keys=True) for one in jobs}
    assert len(jobs) > len(bundles)
    assert len([key for key in sent if key.endswith("bundle.tar.gz")]) == len(bundles)
    for one in jobs:
        found = lab.client.find("s3", "HeadObject", Bucket="data", Key=f"{one.document['prefix'][10:]}bundle.tar.gz")
        assert found is not None
        assert found["Metadata"]["cloudml-content"]


def test_a_schedule_that_is_declared_no_more_is_removed(lab: Lab) -> None:
    lab.apply(lab.resources())
    resources = lab.resources(schedule=None)
    plan = lab.plan(resources)
    assert {kind: action for kind, action in actions(plan).items() if action != "none"} == {
        "schedule": "delete",
        "schedule_group": "delete",
    }
    lab.apply(resources, plan)
    assert lab.account()["schedules"] == lab.account()["schedule_groups"] == []
    assert not lab.plan(resources).has_changes


def test_what_another_pipeline_of_the_target_declares_too_stays(lab: Lab) -> None:
    lab.apply(lab.resources())
    other = lab.resources("sample_models:registered")
    lab.apply(other)
    assert named(other, "model_group").name == named(lab.resources(), "model_group").name
    without = lab.resources("sample_flow:chain", name="approved")
    assert named(without, "pipeline").name == named(lab.resources(), "pipeline").name
    plan = lab.plan(without)
    gone = {change.kind for change in plan.changes if change.action == "delete"}
    assert gone == {"queue"}, "the group of models and of schedules belong to the other one as well"
    lab.apply(without, plan)
    assert not lab.plan(other).has_changes


def test_a_model_s_versions_are_not_lost_without_being_asked(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    group = named(resources, "model_group").name
    lab.version(group)
    without = lab.resources("sample_flow:chain", name="approved")
    plan = lab.plan(without)
    assert ("delete", group) not in [(change.action, change.name) for change in plan.changes]
    assert any("1 version of the model" in note for note in plan.notes)
    lab.apply(without, plan)
    assert any("1 version of the model" in note for note in lab.plan(without).notes), "it is not forgotten"
    pruning = lab.plan(without, prune=True)
    assert [change.lost for change in pruning.irreversible] == ["1 version of the model"]
    lab.apply(without, pruning)
    assert lab.account()["groups"] == []


def test_drift_is_seen_told_and_put_right(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    name = named(resources, "pipeline").name
    stranger = lab.anew().client
    stranger.call("sagemaker", "UpdatePipeline", PipelineName=name, PipelineDisplayName="mine-now")
    schedule = named(resources, "schedule").document
    stranger.call("scheduler", "UpdateSchedule", **{**schedule, "State": "DISABLED"})
    url = stranger.call("sqs", "GetQueueUrl", QueueName=named(resources, "queue").name)["QueueUrl"]
    stranger.call("sqs", "DeleteQueue", QueueUrl=url)
    arn = lab.place.arn("model-package-group", named(resources, "model_group").name)
    stranger.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=["cloudml:target"])

    changes = {change.kind: change for change in lab.plan(resources).changes if change.kind != "job_code"}
    assert {kind: change.action for kind, change in changes.items()} == {
        "queue": "create",
        "pipeline": "update",
        "model_group": "update",
        "schedule": "update",
        "schedule_group": "none",
    }
    assert changes["pipeline"].drift == ("PipelineDisplayName",)
    assert ":user/" in changes["pipeline"].changed_by or ":root" in changes["pipeline"].changed_by
    assert changes["pipeline"].changed_at
    assert changes["schedule"].drift == ("State",)
    assert changes["model_group"].drift == ("Tags.cloudml:target",)
    lab.apply(resources)
    assert not lab.plan(resources).has_changes


def test_tags_that_others_add_are_theirs_and_ours_that_are_gone_go(lab: Lab) -> None:
    def tags_of(name: str) -> dict[str, str]:
        found = lab.client.call("sagemaker", "ListTags", ResourceArn=lab.place.arn("pipeline", name))
        return {one["Key"]: one["Value"] for one in found["Tags"]}

    lab.apply(lab.resources(tags=(spec.Tag(key="team", value="blue"), spec.Tag(key="cost-center", value="7"))))
    resources = lab.resources(tags=(spec.Tag(key="team", value="red"),))
    name = named(resources, "pipeline").name
    arn = lab.place.arn("pipeline", name)
    lab.client.call("sagemaker", "AddTags", ResourceArn=arn, Tags=[{"Key": "audited", "Value": "yes"}])
    plan = lab.plan(resources)
    [change] = [one for one in plan.changes if one.action != "none"]
    assert set(change.fields) == {"Tags.team.Value", "Tags.cost-center"}
    assert "UpdatePipeline" not in lab.apply(resources, plan), "no new version for a tag"
    found = tags_of(name)
    assert (found["team"], found["audited"], "cost-center" in found) == ("red", "yes", False)
    assert not lab.plan(resources).has_changes


def test_a_definition_of_more_than_100_kb_goes_by_s3(lab: Lab) -> None:
    resources = lab.resources("sample_flow:chain")
    pipeline = named(resources, "pipeline")
    definition = {**pipeline.document["definition"], "Metadata": {"cloudml": "x" * 110_000}}
    large = Resource.of("pipeline", pipeline.name, {**pipeline.document, "definition": definition})
    changed = [large if one is pipeline else one for one in resources]
    lab.apply(changed)
    [key] = lab.listed("samples/test/definitions/")
    assert json.loads(lab.client.read(f"s3://data/{key}")) == definition
    assert not lab.plan(changed).has_changes


def test_a_thing_with_our_name_that_is_not_ours_is_never_taken_over(lab: Lab) -> None:
    resources = lab.resources()
    group = named(resources, "model_group")
    lab.client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=group.name)
    plan = lab.plan(resources)
    change = next(one for one in plan.changes if one.kind == "model_group")
    assert "does not belong to project samples" in change.problem
    with pytest.raises(Refused) as caught:
        lab.apply(resources, plan)
    assert caught.value.code == "CML534"
    assert lab.listed() == [], "nothing was begun"


def test_a_prefix_of_another_target_is_refused(lab: Lab, another: Callable[..., Lab]) -> None:
    lab.apply(lab.resources())
    for prefix in ("samples/test", "samples/test/inner"):
        guest = another(target="prod", settings={"prefix": prefix})
        with pytest.raises(Refused) as caught:
            guest.apply(guest.resources("sample_flow:chain"))
        assert caught.value.code == "CML532"
        assert "project samples, target test" in str(caught.value)
    assert not [one for one in lab.account()["pipelines"] if "prod" in one]


def test_a_missing_bucket_is_told_with_the_command(lab: Lab, another: Callable[..., Lab]) -> None:
    lost = another(settings={"bucket": "nowhere"})
    with pytest.raises(BackendError, match="no bucket nowhere") as caught:
        lost.apply(lost.resources())
    assert "aws s3 mb s3://nowhere --region us-east-1" in caught.value.hint


def test_plan_only_reads(lab: Lab) -> None:
    lab.client.writes.clear()
    assert lab.plan(lab.resources()).has_changes
    assert lab.client.writes == []


def test_the_schedule_s_group_is_the_target_s(lab: Lab) -> None:
    resources = lab.resources(schedule=DAILY)
    lab.apply(resources)
    found = lab.client.call("scheduler", "GetScheduleGroup", Name=named(resources, "schedule_group").name)
    tags = lab.client.call("scheduler", "ListTagsForResource", ResourceArn=found["Arn"])["Tags"]
    assert {one["Key"]: one["Value"] for one in tags} == {"cloudml:project": "samples", "cloudml:target": "test"}
