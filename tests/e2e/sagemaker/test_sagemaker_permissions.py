"""Every call that a deployment makes is allowed by the policies that are derived for it, resource and tags included."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import test_sagemaker_watched as watched
from aws_recorder import Recorder, listen, permitted
from sagemaker_runs import Sagemaker

from cloudml.backend.port import RunOptions
from cloudml.plan import Resource, diff
from cloudml.testing.harness import build, sources_of
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.entry import DEFERRED
from cloudml_sagemaker.permissions import permissions

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "sagemaker" / "account"))

from account_lab import actions_of

watched_mock = watched.watched_mock

SET_UP = {("s3", "CreateBucket")}
"""What the harness itself asks for, as an account's owner would."""


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return listen(monkeypatch)


def lacking(recorder: Recorder, sagemaker: Sagemaker, resources: tuple[Resource, ...]) -> list[str]:
    """The calls that the policies of these resources do not allow."""
    policies = permissions(sagemaker.target, resources)
    role = [one.document for one in policies if one.name.endswith("-role")]
    people = [one.document for one in policies if "-deployer" in one.name]
    found = {
        f"{'job' if asked.job else 'person'}: {action} on {asked.resource} with {dict(asked.context)}"
        for asked in recorder.asked
        if (asked.service, asked.operation) not in SET_UP
        for action in actions_of(asked.service, asked.operation)
        if not permitted(role if asked.job else people, action, asked, recorder.tags)
    }
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["served", "approved", "gated", "batch"])
def test_a_deployment_from_apply_to_destroy(name: str, recorder: Recorder, sagemaker: Sagemaker) -> None:
    pipeline = build(f"sample_models:{name}")
    resources = sagemaker.compile(pipeline, sources_of(pipeline))
    session = sagemaker.session
    session.apply(resources, diff(resources, session.observe(resources), deferred=DEFERRED))
    assert not diff(resources, session.observe(resources), deferred=DEFERRED).has_changes
    record = session.runs.start(resources, {}, RunOptions())
    if record.status == "waiting":
        session.runs.approve(record.id, "gate", "ada", "looks right")
        record = session.runs.resume(record.id, resources=resources)
    assert record.status == "succeeded", record.reason
    for task in record.tasks:
        list(session.runs.logs(record.id, task.id))
        session.runs.why(record.id, task.id)
    session.runs.list()
    for version in session.models.list():
        session.models.decide(version.model, version.version, True, "ada", "again")
        session.models.promote(version.model, version.version, "champion", "ada", "best")
    for endpoint in session.endpoints.list():
        session.endpoints.invoke(endpoint.name, b'{"instances": []}', "application/json")
        session.endpoints.stop(endpoint.name)
        session.endpoints.start(endpoint.name)
    assert session.destroy(dry_run=False, keep_data=False).complete
    assert {True, False} == {asked.job for asked in recorder.asked} or name == "batch"
    assert not (told := "\n".join(lacking(recorder, sagemaker, resources))), told


@pytest.mark.slow
def test_a_watched_endpoint(
    recorder: Recorder, watched_mock: MockInUse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month of `test_sagemaker_watched`, listened to: schedules, topics, drift, a run that a monitor starts."""
    made: list[tuple[Sagemaker, tuple[Resource, ...]]] = []
    compile_it = Sagemaker.compile

    def kept(self: Sagemaker, *given: Any) -> tuple[Resource, ...]:
        made.append((self, compile_it(self, *given)))
        return made[-1][1]

    monkeypatch.setattr(Sagemaker, "compile", kept)
    watched.test_drift_is_found_told_and_answered(watched_mock, tmp_path, monkeypatch)
    recorder.asked = [one for one in recorder.asked if not (one.resource or "").endswith(":ear")]  # the test's own ear
    assert {one.operation for one in recorder.asked if one.job} > {"StartPipelineExecution", "Publish", "PutMetricData"}
    assert not (told := "\n".join(lacking(recorder, *made[0]))), told


@pytest.mark.slow
def test_the_recorder_notices_what_is_not_allowed(
    recorder: Recorder, sagemaker: Sagemaker, empty_account: MockInUse
) -> None:
    """The judge itself: a foreign bucket, another target's endpoint, a creation without tags."""
    served = build("sample_models:served")
    resources = sagemaker.compile(served, sources_of(served))
    client = sagemaker.client
    client.call("s3", "CreateBucket", Bucket="foreign")
    client.find("s3", "HeadObject", Bucket="foreign", Key="samples/mock/x")
    client.find("sagemaker", "DescribeEndpoint", EndpointName="samples-other-x")
    client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="samples-mock-bare")
    told = "\n".join(lacking(recorder, sagemaker, resources))
    assert "s3:GetObject on arn:aws:s3:::foreign/" in told
    assert "sagemaker:DescribeEndpoint" in told
    assert "sagemaker:CreateModelPackageGroup" in told
