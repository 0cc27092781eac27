"""Deploy, run and rollout on SageMaker under seeded faults and kills: they converge, or stop with a true report.

A seed names its rules of faults and the call at which the process dies (`sagemaker_storm.Weather`); a failure prints
them. `CLOUDML_SLOW=1` runs all seeds, otherwise a fixed sample of each part runs.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).parent / "stormy"))

from sagemaker_storm import BUCKET, HOME, Killed, Storm, cause_is_true, struck, told, weather

from cloudml import spec
from cloudml.backend.port import RunOptions
from cloudml.backend.records import RunRecord
from cloudml.errors import CloudmlError
from cloudml.plan import Resource
from cloudml.remote import journal
from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker import library
from cloudml_sagemaker.container.control.aws import Asking
from cloudml_sagemaker.hosting import Failed, content
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.rollback import NothingBefore, rollback
from cloudml_sagemaker.hosting.watch import Patience
from cloudml_sagemaker.resources import destroying, endpoint, executions

SLOW = bool(os.environ.get("CLOUDML_SLOW"))
APPLIES = range(160) if SLOW else (1, 5, 20, 25)
ROLLOUTS = range(1000, 1110) if SLOW else (1001, 1003, 1005, 1011)
RUNS = range(2000, 2040) if SLOW else (2002,)

SERVER = f"{sys.executable} -S {HOME / 'stormy_server.py'}"
NAME = "stormy-test-numbers"
"""Of the pipeline, the group of models and the endpoint in the account."""


def opened(mock: MockInUse, monkeypatch: pytest.MonkeyPatch) -> Storm:
    """An account with a stranger's things, and clients of this process that find it."""
    for name in [name for name in os.environ if name.startswith(mock.running.hides)]:
        monkeypatch.delenv(name)
    for name, value in mock.environment.items():
        monkeypatch.setenv(name, value)
    # The first process of a seed dies without dying.
    monkeypatch.setattr(journal, "_runs", lambda pid: False)
    hurried = executions.Patience(seconds=60, first=0.02, longest=0.2)
    monkeypatch.setattr(destroying, "_PATIENT", hurried)
    monkeypatch.setattr(destroying.destroy, "__defaults__", (hurried,))
    mock.reset()
    return Storm(mock)


def survive(storm: Storm, act: Callable[[Storm], Any], note: object) -> tuple[str, Any]:
    """What became of it: ("", what it gave), ("killed", None), or the error's text; which must tell of a fault."""
    try:
        return "", act(storm)
    except Killed:
        return "killed", None
    except (CloudmlError, Failed, BotoCoreError, ClientError) as error:  # a job tells what its SDK raises
        text = told(error) if isinstance(error, CloudmlError) else str(error)
        kinds = struck(storm.mock)
        assert cause_is_true(text, kinds), f"{note}: struck {kinds}, told: {text}"
        return text, None


# -- deploy -------------------------------------------------------------------------------------------------------

API = ("throttle", "internal-error", "unavailable", "lost-response")
WRITES = (
    "CreatePipeline", "UpdatePipeline", "CreateModelPackageGroup", "DeletePipeline", "AddTags",
    "DeleteModelPackageGroup",
    "s3:PutObject", "s3:GetObject", "s3:*", "scheduler:*", "cloudwatch:*", "scheduler:CreateSchedule*",
    "cloudwatch:PutMetricAlarm", "sagemaker:*", "*:*", "Describe*", "List*", "s3:DeleteObjects",
)  # fmt: skip
DEPLOY: dict[str, Any] = dict.fromkeys(API, WRITES) | {"stale": ("Describe*", "List*", "DescribePipeline")}


@pytest.fixture(scope="module")
def still() -> Iterator[MockInUse]:
    """A mock whose clock only the tests move, with a tiny server behind its endpoints."""
    with running_sagemaker(hold=True, images=(f"*={SERVER}",)) as mock:
        yield mock


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file travels to the jobs, instead of a few hundred: no job runs there."""
    one = {"cloudml/__init__.py": library.files()["cloudml/__init__.py"]}
    digest = library.digest_of({name: path.read_bytes() for name, path in one.items()})
    monkeypatch.setattr(library, "files", lambda: one)
    monkeypatch.setattr(library, "digest", lambda: digest)


@pytest.mark.parametrize("seed", APPLIES)
def test_a_deploy_in_bad_weather_converges(
    still: MockInUse, light: None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    storm = opened(still, monkeypatch)
    before = storm.account.begin()
    found = weather(seed, DEPLOY, 60)
    first = storm.resources()
    second = storm.resources(description="another", schedule=None if seed % 2 else spec.Cron(expression="0 5 * * *"))
    if seed % 3 == 0:  # the faults strike a change of what is there
        storm.apply(first)
    for rule in found.rules:
        still.add_fault(rule)
    storm.client.mortal.doom(found)
    wanted = first
    for resources in (first, second):
        wanted = resources
        became, _ = survive(storm, lambda one, these=resources: one.apply(these), found)  # type: ignore[misc]
        if became:
            break
    still.clear_faults()
    storm = storm.anew()
    storm.apply(wanted)
    _deployed(storm, wanted, before, found)
    _removed(storm, before, found, again=lambda: [still.add_fault(rule) for rule in found.rules])


def _deployed(storm: Storm, resources: tuple[Resource, ...], before: Any, note: object) -> None:
    """What is declared is there, once, and an apply has nothing left to do."""
    plan = storm.plan(resources)
    assert not plan.has_changes, (note, [change for change in plan.changes if change.action != "none"])
    assert not [change.problem for change in plan.changes if change.problem], note
    assert storm.account.pending() == [], note
    holds = storm.account.holds()
    made = {kind: [one for one in names if one not in before[kind]] for kind, names in holds.items()}
    declared = [one.kind for one in resources]
    assert made["pipelines"] == [NAME], note
    assert made["groups"] == [NAME], note
    assert len(made["alarms"]) == declared.count("alarm") == 1, note
    assert len(made["schedules"]) == declared.count("schedule"), note
    assert len([key for key in made["objects"] if key.startswith("stormy/test/state/")]) == 1, note


def _removed(storm: Storm, before: Any, note: object, again: Callable[[], Any] | None = None) -> None:
    """`destroy` in bad weather, then in good: nothing of ours is left, and all of the stranger's."""
    if again is not None:
        again()
        with suppress(CloudmlError):  # it may not even be told whose the prefix is
            storm.destroy()
        storm.mock.clear_faults()
    assert storm.anew().destroy() == [], note
    assert storm.account.holds() == before, note


# -- rollout ------------------------------------------------------------------------------------------------------

HOSTING = (
    "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "DescribeEndpoint", "AddTags",
    "sagemaker:*", "cloudwatch:*", "Describe*", "*:*",
)  # fmt: skip
ROLLOUT: dict[str, Any] = dict.fromkeys(API, HOSTING) | {
    "stale": ("DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel", "Describe*"),
    **dict.fromkeys(("unhealthy", "endpoint-capacity", "silent-rollback", "rollback-failed"), (NAME, "*")),
}


class Caller(Asking):
    """What a job's code asks AWS with, mortal."""

    def __init__(self, storm: Storm) -> None:
        self._mortal = storm.client.mortal

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._mortal.around(lambda: super(Caller, self).call(service, operation, **request))
        return found


def _patience(mock: MockInUse) -> Patience:
    """Every pause moves the clock a minute on."""
    return Patience(86_400.0, sleep=lambda _: mock.advance(60.0) and None, now=lambda: 0.0)


def _register(storm: Storm, version: int) -> content.Served:
    """A version in the group, as a run registers it."""
    found = storm.account.ask("sagemaker")
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.5.1-cpu-py311-ubuntu22.04-sagemaker"
    made = found.create_model_package(
        ModelPackageGroupName=NAME,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": f"s3://{BUCKET}/stormy/test/models/model.tar.gz"}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        CustomerMetadataProperties={"cloudml:digest": f"sha256:{version}"},
    )
    served = content.Served.of(found.describe_model_package(ModelPackageName=made["ModelPackageArn"]), "numbers", NAME)
    assert served.version == version
    return served


def _answers(storm: Storm) -> int:
    """The version that answers."""
    answer = storm.account.ask("sagemaker-runtime").invoke_endpoint(EndpointName=NAME, Body=b"{}")
    return int(answer["Body"].read())


def _deploy(storm: Storm, settings: Any, served: content.Served) -> str:
    """As the deploy job does it; the configuration's name."""
    caller = Caller(storm)
    config = content.make(caller, settings, served)
    bring(caller, Wish(settings, config, "run 1", "deploy"), _patience(storm.mock))
    return config


@pytest.fixture
def hurried(still: MockInUse, monkeypatch: pytest.MonkeyPatch) -> None:
    """No real time passes between two attempts of botocore's or between two looks at an endpoint."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(endpoint, "patience", lambda settings: _patience(still))


@pytest.mark.parametrize("seed", ROLLOUTS)
def test_a_rollout_in_bad_weather_converges(
    still: MockInUse, light: None, hurried: None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    storm = opened(still, monkeypatch)
    before = storm.account.begin()
    storm.apply(storm.resources())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    storm.account.ask("s3").put_object(Bucket=BUCKET, Key="stormy/test/models/model.tar.gz", Body=buffer.getvalue())
    settings = next(one for one in storm.resources() if one.kind == "endpoint").document
    versions = [_register(storm, 1), _register(storm, 2)]
    found = weather(seed, ROLLOUT, 25)
    if seed % 3:  # the faults strike the second version's rollout
        _deploy(storm, settings, versions[0])
    for rule in found.rules:
        still.add_fault(rule)
    storm.client.mortal.doom(found)
    wanted = versions[1]
    for served in versions[bool(seed % 3) :]:
        wanted = served
        became, _ = survive(storm, lambda one, this=served: _deploy(one, settings, this), found)  # type: ignore[misc]
        if became:
            break
        assert _answers(storm) == served.version, found
    still.clear_faults()
    storm = storm.anew()
    _converged(storm, settings, wanted, found)
    if wanted is versions[1] and seed % 5 == 0:
        _turned_back(storm, found)
    _removed(storm, before, found, again=lambda: [still.add_fault(rule) for rule in found.rules[:1]])


def _converged(storm: Storm, settings: Any, served: content.Served, note: object) -> None:
    """The same command again: the version is in service, and what it took is there once."""
    name = ""
    for _ in range(2):  # who was killed in an update that came to nothing is told so, once
        try:
            name = _deploy(storm, settings, served)
            break
        except Failed as error:
            if not any(words in str(error) for words in ("went back to", "neither the update")):
                raise AssertionError(note) from error
    assert _answers(storm) == served.version, note
    holds = storm.account.holds()
    assert holds["endpoints"] == [NAME], note
    described = storm.account.ask("sagemaker").describe_endpoint(EndpointName=NAME)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", name), note
    assert "_deployment" not in described
    assert len(holds["configs"]) <= served.version, (note, holds["configs"])
    assert len(holds["models"]) <= served.version + 1, (note, holds["models"])  # one is the stranger's


def _turned_back(storm: Storm, note: object) -> None:
    """A person goes back to the version before, in good weather."""
    try:
        rollback(Caller(storm), NAME, "ada", "it smells", _patience(storm.mock))
    except NothingBefore:
        assert len(storm.account.holds()["configs"]) == 1, note
        return
    assert _answers(storm) == 1, note


# -- run ----------------------------------------------------------------------------------------------------------

SHELL = (
    "StartPipelineExecution", "DescribePipelineExecution", "ListPipelineExecutionSteps", "CreateModelPackage",
    "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "DescribeEndpoint", "AddTags",
    "sagemaker:*", "s3:*", "step/*", "step/fit", "ListModelPackages", "s3:PutObject", "s3:GetObject",
)  # fmt: skip
JOBS = ("step/count", "step/fit", "step/*", "ProcessingJob/*", "TrainingJob/*")
RUN: dict[str, Any] = dict.fromkeys(API, SHELL) | {
    "stale": ("DescribeEndpoint", "DescribeEndpointConfig", "DescribeModelPackage", "DescribePipelineExecution"),
    **dict.fromkeys(("capacity", "internal", "die", "slow"), JOBS),
    "hang": ("step/count", "step/fit"),
    **dict.fromkeys(("unhealthy", "endpoint-capacity", "silent-rollback"), (NAME, "*")),
}


@pytest.fixture(scope="module")
def live() -> Iterator[MockInUse]:
    """A mock by the true clock, whose jobs run with this Python's packages."""
    with running_sagemaker(images=(f"*inference*={SERVER}", f"*={sys.prefix}")) as mock:
        yield mock


@pytest.mark.parametrize("seed", RUNS)
def test_a_run_in_bad_weather_ends_right_or_says_why(
    live: MockInUse, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    storm = opened(live, monkeypatch)
    before = storm.account.begin()
    resources = storm.resources()
    storm.apply(resources)
    found = weather(seed, RUN, 80)
    for rule in found.rules:
        live.add_fault(rule)
    storm.client.mortal.doom(found)
    became, record = survive(storm, lambda one: _start(one, resources), found)
    kinds = struck(live)
    if record is not None and record.status != "succeeded":
        assert record.status == "failed", (found, record.status)
        assert cause_is_true(record.reason, kinds), f"{found}: struck {kinds}, told: {record.reason}"
    live.clear_faults()
    begun = storm.account.executions(NAME)
    assert len(begun) <= 1, (found, became)
    storm = storm.anew()
    if begun:
        record = storm.session.runs.resume(begun[0]["PipelineExecutionArn"].rpartition("/")[2], RunOptions())
    if record is None or record.status != "succeeded":
        record = _start(storm, resources)
    assert record.status == "succeeded", (found, record.reason)
    _ran(storm, before, found)
    _removed(storm, before, found)


def _start(storm: Storm, resources: tuple[Resource, ...]) -> RunRecord:
    return storm.session.runs.start(resources, {"start": 3}, RunOptions())


def _ran(storm: Storm, before: Any, note: object) -> None:
    """One version, one endpoint that serves it, one configuration."""
    assert _answers(storm) == 1, note
    holds = storm.account.holds()
    made = {kind: [one for one in names if one not in before[kind]] for kind, names in holds.items()}
    counts = {kind: len(made[kind]) for kind in ("pipelines", "groups", "packages", "endpoints", "configs", "models")}
    assert counts == dict.fromkeys(counts, 1), (note, made)
