"""A run's record, from executions of hand-written definitions on the mock: states, results, reasons, durations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudml.backend.records import Event
from cloudml.errors import CloudmlError
from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.describe import Describer
from cloudml_sagemaker.results import read_message, training_result
from cloudml_sagemaker.wait import Polling, wait

ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"
ONE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
IN = "/opt/ml/processing/input/cloudml"
OUT = "/opt/ml/processing/output"
QUICK = Polling(first=0.05, longest=0.1)
Json = dict[str, Any]


class Place:
    region = "us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[MockInUse]:
    with running_sagemaker(images=(f"*={sys.prefix}",)) as running:
        yield running


@pytest.fixture
def client(server: MockInUse, somebody: Callable[[str], None]) -> Client:
    server.reset()
    somebody(server.url)
    found = Client(Place(), patience=Patience(first=0.01, longest=0.05))
    found.call("s3", "CreateBucket", Bucket="data")
    return found


class World:
    """Makes steps as the compiler would, with programs of the shell for functions."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def step(self, name: str, does: str | Json, *after: Any, kind: str = "processing", **task: Any) -> Json:
        """A job that leaves such a result, or runs such a program of the shell; its step document is put into S3."""
        document = {"step": name, "kind": "job", **task.pop("document", {})}
        document["task"] = {"name": task.pop("author", name), "kind": kind, "part": "main", **task}
        prefix, result = f"jobs/{name}", {} if isinstance(does, str) else does
        for file, content in (("step.json", document), ("result.json", result)):
            body = json.dumps(content).encode()
            self.client.call("s3", "PutObject", Bucket="data", Key=f"{prefix}/{file}", Body=body)
        shell = does if isinstance(does, str) else f"cp {IN}/result.json {OUT}/result/"
        where = {"S3Uri": f"s3://data/runs/{name}/result", "LocalPath": f"{OUT}/result", "S3UploadMode": "EndOfJob"}
        code = {
            "S3Uri": f"s3://data/{prefix}/",
            "LocalPath": IN,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        return {
            "Name": name,
            "DisplayName": document["task"]["name"],
            "Type": "Processing",
            "DependsOn": list(after),
            "Arguments": {
                "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", shell]},
                "ProcessingInputs": [{"InputName": "cloudml", "S3Input": code}],
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": where}]},
                "ProcessingResources": {"ClusterConfig": ONE},
                "RoleArn": ROLE,
            },
        }

    def run(self, *steps: Json, parameters: list[Json] | None = None, **given: str) -> str:
        definition = {"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)}
        self.client.call(
            "sagemaker",
            "CreatePipeline",
            PipelineName="p-1",
            Tags=[{"Key": "cloudml:pipeline", "Value": "p_1"}],
            PipelineDefinition=json.dumps(definition),
            RoleArn=ROLE,
        )
        return self.again(**given)

    def again(self, **given: str) -> str:
        values = [{"Name": name, "Value": value} for name, value in given.items()]
        started = self.client.call("sagemaker", "StartPipelineExecution", PipelineName="p-1", PipelineParameters=values)
        return str(started["PipelineExecutionArn"])


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def fails(message: str) -> str:
    return f"mkdir -p /opt/ml/output; echo '{message}' > /opt/ml/output/message; exit 1"


def test_values_metrics_and_artifacts_come_from_what_the_container_wrote(client: Client, world: World) -> None:
    artifact = {"name": "output", "type": "int", "format": "json", "digest": "sha256:0", "size": 2}
    written = {
        "status": "succeeded",
        "values": {"output": 20, "scores": {"auc": 0.5}, "word": "a", "sure": True},
        "metrics": {"scores": {"auc": 0.5}},
        "outputs": [{**artifact, "filename": "output.json"}],
        "attempts": 2,
    }
    arn = world.run(
        world.step("first", written, author="the first", needs=[]),
        parameters=[
            {"Name": "count", "Type": "Integer", "DefaultValue": 4},
            {"Name": "rate", "Type": "Float", "DefaultValue": 0.5},
            {"Name": "sure", "Type": "Boolean", "DefaultValue": False},
        ],
        count="7",
        sure="true",
    )
    heard: list[tuple[str | None, str]] = []

    def listen(event: Event) -> None:
        heard.append((event.task, event.status))

    record = wait(Describer(client), arn, listen, polling=QUICK)
    assert (record.id, record.pipeline, record.status) == (arn.rpartition("/")[2], "p_1", "succeeded")
    assert record.parameters == {"count": 7, "rate": 0.5, "sure": True}
    (task,) = record.tasks
    assert (task.id, task.kind, task.status, task.attempts) == ("the first", "processing", "succeeded", 2)
    assert task.values == written["values"]
    assert task.metrics == {"output": 20, "auc": 0.5}
    assert [(one.name, one.digest, one.size) for one in task.outputs] == [("output", "sha256:0", 2)]
    assert task.duration is not None
    assert 0 <= task.duration <= (record.duration or 0) + 1
    assert heard == [
        (None, "running"),
        ("the first", "running"),
        ("the first", "succeeded"),
        (None, "succeeded"),
    ]


def test_a_failure_is_told_in_the_words_of_the_container_and_what_waited_was_skipped(
    client: Client, world: World
) -> None:
    arn = world.run(
        world.step("bad", fails("ValueError: three is refused (steps.py:12)"), needs=[]),
        world.step("behind", "true", "bad", needs=["bad"]),
        world.step("far", "true", "behind", needs=["behind"]),
    )
    record = wait(Describer(client), arn, polling=QUICK)
    found = {task.id: task for task in record.tasks}
    assert record.status == "failed"
    assert record.reason == "bad: ValueError: three is refused"
    assert found["bad"].status == "failed"
    failure = found["bad"].failure
    assert failure is not None
    assert (failure["exception"], failure["message"], failure["where"]) == (
        "ValueError",
        "three is refused",
        "steps.py:12",
    )
    assert (found["behind"].status, found["behind"].reason) == ("skipped", "bad failed")
    assert (found["far"].status, found["far"].reason) == ("skipped", "behind was skipped")


def test_a_branch_that_was_not_taken_is_skipped(client: Client, world: World) -> None:
    leaf = [{"Type": "Equals", "LeftValue": {"Get": "Parameters.way"}, "RightValue": "then"}]
    gate = {
        "Name": "gate",
        "DisplayName": "gate",
        "Type": "Condition",
        "Arguments": {
            "Conditions": leaf,
            "IfSteps": [world.step("yes", {"status": "succeeded"})],
            "ElseSteps": [world.step("no", {"status": "succeeded"})],
        },
    }
    arn = world.run(gate, parameters=[{"Name": "way", "Type": "String", "DefaultValue": "then"}])
    for run, taken, left, word in ((arn, "yes", "no", "true"), (world.again(way="else"), "no", "yes", "false")):
        record = wait(Describer(client), run, polling=QUICK)
        found = {task.id: task for task in record.tasks}
        assert record.status == "succeeded"
        assert found["gate"].values == {"branch": "then" if taken == "yes" else "otherwise"}
        assert (found[taken].status, found[taken].parent) == ("succeeded", "gate")
        assert (found[left].status, found[left].reason) == ("skipped", f"gate was {word}")


def test_the_items_of_a_map_have_records_of_their_own(client: Client, world: World) -> None:
    body = world.step("work", {"status": "succeeded", "values": {"output": 1}})
    outputs = body["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
    outputs["S3Uri"] = {"Std:Join": {"On": "/", "Values": ["s3://data/runs/work", {"Get": "ForEach.CurrentItem"}]}}
    loop = {
        "Name": "each",
        "DisplayName": "each",
        "Type": "ForEach",
        "Arguments": {"IterableItems": ["0", "1", "2"], "MaxConcurrency": 2, "ForEachBody": [body]},
    }
    record = wait(Describer(client), world.run(loop), polling=QUICK)
    assert [(task.id, task.status, task.kind) for task in record.tasks] == [
        ("each", "succeeded", "map"),
        *((f"work[{index}]", "succeeded", "processing") for index in range(3)),
    ]
    assert [task.parent for task in record.tasks] == [None, "each", "each", "each"]


def test_what_guards_itself_says_that_it_was_skipped(client: Client, world: World) -> None:
    skipped = {"status": "skipped", "reason": "gate was false", "values": {}}
    record = wait(Describer(client), world.run(world.step("inner", skipped)), polling=QUICK)
    (task,) = record.tasks
    assert (record.status, task.status, task.reason) == ("succeeded", "skipped", "gate was false")


def test_a_group_tells_each_of_its_members(client: Client, world: World) -> None:
    members = [
        {"kind": "job", "step": "one"},
        {"kind": "condition", "step": "never", "then": [{"kind": "job", "step": "inside"}], "otherwise": []},
    ]
    result = {
        "members": {
            "one": {"status": "succeeded", "values": {"output": 2}},
            "never": {"status": "succeeded", "values": {"branch": "otherwise"}},
            "inside": {"status": "skipped", "reason": "never was false"},
        }
    }
    group = world.step("small", result, document={"kind": "group", "members": members}, kind="group")
    record = wait(Describer(client), world.run(group), polling=QUICK)
    assert [(task.id, task.kind, task.status, task.parent) for task in record.tasks] == [
        ("one", "processing", "succeeded", None),
        ("never", "condition", "succeeded", None),
        ("inside", "processing", "skipped", "never"),
    ]
    assert record.tasks[0].values == {"output": 2}


def test_several_steps_of_awss_are_one_of_the_authors(client: Client, world: World) -> None:
    done = {"status": "succeeded", "values": {"best_value": 3}}
    search = world.step("search", "true", author="search", kind="tuning")
    best = world.step("search-best", done, "search", author="search", kind="tuning", part="best")
    record = wait(Describer(client), world.run(search, best), polling=QUICK)
    (task,) = record.tasks
    assert (task.id, task.kind, task.status, task.values) == ("search", "tuning", "succeeded", {"best_value": 3})


def test_a_failure_before_the_last_of_them_fails_it(client: Client, world: World) -> None:
    search = world.step("search", fails("too many trials failed"), author="search", kind="tuning")
    best = world.step("search-best", "true", "search", author="search", kind="tuning", part="best")
    record = wait(Describer(client), world.run(search, best), polling=QUICK)
    (task,) = record.tasks
    assert (task.status, task.reason) == ("failed", "too many trials failed")


def test_a_result_of_an_earlier_run_says_which(client: Client, world: World) -> None:
    step = world.step("kept", {"status": "succeeded", "values": {"output": 1}})
    step["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P1D"}
    first = world.run(step)
    wait(Describer(client), first, polling=QUICK)
    (task,) = wait(Describer(client), world.again(), polling=QUICK).tasks
    assert (task.status, task.cached_from, task.values) == ("cached", first.rpartition("/")[2], {"output": 1})


def test_a_run_that_waits_for_a_person_is_waiting(client: Client, world: World) -> None:
    queue = client.call("sqs", "CreateQueue", QueueName="approvals")["QueueUrl"]
    ask = {
        "Name": "gate",
        "DisplayName": "gate",
        "Type": "Callback",
        "SqsQueueUrl": queue,
        "OutputParameters": [{"OutputName": "who", "OutputType": "String"}],
        "Arguments": {"message": "may it serve?"},
    }
    arn = world.run(ask, world.step("behind", "true", "gate", needs=["gate"]))
    describer = Describer(client)
    record = wait(describer, arn, polling=QUICK)
    assert (record.status, record.reason) == ("waiting", "waiting for approval of gate")
    assert [task.status for task in record.tasks] == ["waiting", "pending"]
    listed = client.pages("sagemaker", "ListPipelineExecutionSteps", "PipelineExecutionSteps", PipelineExecutionArn=arn)
    token = next(iter(listed))["Metadata"]["Callback"]["CallbackToken"]
    answer = [{"Name": "who", "Value": "ada"}]
    client.call("sagemaker", "SendPipelineExecutionStepSuccess", CallbackToken=token, OutputParameters=answer)
    gate, behind = wait(describer, arn, stay=True, polling=QUICK).tasks
    assert (gate.kind, gate.status, gate.values) == ("approve", "succeeded", {"approval": {"who": "ada"}})
    assert behind.status == "succeeded"


def test_what_failed_in_an_item_stops_that_item(client: Client, world: World) -> None:
    def inside(name: str, does: str | Json, *after: str) -> Json:
        made = world.step(name, does, *after, needs=list(after))
        target = made["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
        target["S3Uri"] = {"Std:Join": {"On": "/", "Values": [f"s3://data/{name}", {"Get": "ForEach.CurrentItem"}]}}
        return made

    body = [inside("first", fails("no")), inside("second", "true", "first")]
    loop = {
        "Name": "each",
        "DisplayName": "each",
        "Type": "ForEach",
        "Arguments": {"IterableItems": ["0"], "MaxConcurrency": 1, "ForEachBody": body},
    }
    found = {task.id: task for task in wait(Describer(client), world.run(loop), polling=QUICK).tasks}
    assert (found["each"].status, found["first[0]"].status) == ("failed", "failed")
    assert (found["second[0]"].status, found["second[0]"].reason) == ("skipped", "first[0] failed")


def test_a_stopped_run_is_an_end(client: Client, world: World) -> None:
    arn = world.run(world.step("long", "sleep 60"), world.step("behind", "true", "long", needs=["long"]))

    def stop(event: Event) -> None:
        if event.task == "long" and event.status == "running":
            client.call("sagemaker", "StopPipelineExecution", PipelineExecutionArn=arn)

    record = wait(Describer(client), arn, stop, polling=QUICK)
    assert record.status == "stopped"
    assert [(task.id, task.status, task.reason) for task in record.tasks] == [
        ("long", "stopped", ""),
        ("behind", "skipped", "long was stopped"),
    ]


def test_what_is_not_started_yet_is_pending_and_the_run_is_running(client: Client, world: World) -> None:
    arn = world.run(world.step("long", "sleep 60"), world.step("behind", "true", "long", needs=["long"]))
    record = Describer(client).describe(arn)
    assert (record.status, record.duration) == ("running", None)
    assert [task.status for task in record.tasks] == ["running", "pending"]
    client.call("sagemaker", "StopPipelineExecution", PipelineExecutionArn=arn)
    assert wait(Describer(client), arn, polling=QUICK).status == "stopped"


@pytest.mark.parametrize(
    ("raw", "status"),
    [("Succeeded", "succeeded"), ("Failed", "failed"), ("CompletedWithFailures", "failed"), ("Stopped", "stopped")],
)
def test_every_end_that_aws_knows_is_an_end(client: Client, raw: str, status: str) -> None:
    assert wait(Describer(_Says(client, raw)), "arn:aws:sagemaker:r:1:pipeline/p/execution/e").status == status


def test_an_end_that_is_not_known_is_no_reason_to_wait_for_ever(client: Client) -> None:
    with pytest.raises(CloudmlError, match="Evaporated"):
        wait(Describer(_Says(client, "Evaporated")), "arn:aws:sagemaker:r:1:pipeline/p/execution/e")


class _Says(Client):
    """An AWS in which one execution without steps has that status."""

    def __init__(self, client: Client, status: str) -> None:
        super().__init__(Place())
        self._status = status

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> Json:
        from datetime import UTC, datetime

        now = datetime.now(UTC)
        return {
            "DescribePipelineExecution": {
                "PipelineExecutionStatus": self._status,
                "PipelineArn": "arn:aws:sagemaker:r:1:pipeline/p",
                "CreationTime": now,
                "LastModifiedTime": now,
            },
            "DescribePipelineDefinitionForExecution": {"PipelineDefinition": '{"Steps": []}'},
        }[operation]

    def pages(self, *names: Any, limit: int | None = None, **request: Any) -> Iterator[Any]:
        return iter(())


def test_a_training_jobs_result_is_read_from_its_archive(client: Client) -> None:
    result = {"status": "succeeded", "values": {"output": 3}, "outputs": []}
    shell = f"mkdir -p /opt/ml/model/result; echo '{json.dumps(result)}' > /opt/ml/model/result/result.json"
    _train(client, "good", shell)
    found = training_result(client, "good")
    assert found.document == result
    assert found.outputs[""].endswith("/good/output/model.tar.gz")


def test_a_failed_training_job_tells_what_its_container_said(client: Client) -> None:
    _train(client, "bad", "echo 'KeyError: depth (fit.py:3)' > /opt/ml/output/failure; exit 1")
    failure = training_result(client, "bad").failure()
    assert failure is not None
    assert (failure["exception"], failure["message"], failure["where"]) == ("KeyError", "depth", "fit.py:3")


def _train(client: Client, name: str, shell: str) -> None:
    client.call(
        "sagemaker",
        "CreateTrainingJob",
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sh", "-c", shell],
        },
        OutputDataConfig={"S3OutputPath": "s3://data/models"},
        ResourceConfig=ONE,
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        RoleArn=ROLE,
    )
    import time

    limit = time.monotonic() + 60
    while client.call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)["TrainingJobStatus"] == "InProgress":
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.mark.parametrize("content", [b"no archive", b"", None])
def test_an_archive_without_a_result_is_no_crash(client: Client, content: bytes | None) -> None:
    _train(client, "other", "echo 1 > /opt/ml/model/weights")
    if content is not None:
        key = "models/other/output/model.tar.gz"
        client.call("s3", "PutObject", Bucket="data", Key=key, Body=content)
    assert training_result(client, "other").document == {}


@pytest.mark.parametrize(
    ("line", "exception", "message", "where"),
    [
        ("ValueError: bad (a.py:1)", "ValueError", "bad", "a.py:1"),
        ("pkg.errors.Odd: it (really) is", "pkg.errors.Odd", "it (really) is", ""),
        ("killed", "", "killed", ""),
        ("", "", "", ""),
    ],
)
def test_a_message_is_taken_apart(line: str, exception: str, message: str, where: str) -> None:
    found = read_message(line)
    assert (found["exception"], found["message"], found["where"]) == (exception, message, where)
