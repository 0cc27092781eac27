"""Play a case of tests/data/sagemaker_sdk against an endpoint and hold what happens against its expectations.

Only boto3 and the standard library; shared by `drive_mock.py` and tests/unit/sagemaker_mock/foreign.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PROGRAMS = Path(__file__).parent / "programs"
DATA = Path(__file__).parent.parent / "data" / "sagemaker_sdk"
ROLE = "arn:aws:iam::123456789012:role/ml"
BUCKET = "ml-bucket"
ENDED = {"Succeeded", "Failed", "Stopped", "CompletedWithFailures"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        },
    ],
}


def names() -> list[str]:
    """Every case."""
    return sorted(path.stem for path in DATA.glob("*.json") if path.stem != "shared")


def read(name: str) -> dict[str, Any]:
    """A case's data file."""
    loaded: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return loaded


def patched(definition: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The definition after a JSON Patch (RFC 6902: add, replace, remove)."""
    result = copy.deepcopy(definition)
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        place: Any = result
        for part in parents:
            place = place[int(part) if isinstance(place, list) else part]
        if operation["op"] == "remove":
            del place[int(last) if isinstance(place, list) else last]
        elif last == "-":
            place.append(operation["value"])
        else:
            place[int(last) if isinstance(place, list) else last] = operation["value"]
    return result


def image_rules(case: dict[str, Any], python: str, environment: str) -> tuple[str, ...]:
    """`PATTERN=COMMAND` rules of the mock: the programs of the case's images, and this Python for every other one."""
    own = [f"{image}={python} {PROGRAMS / program}" for image, program in case["images"].items()]
    return (*own, f"*={environment}")


def steps_of(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every step of a definition, whatever it is nested in."""
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps", "ForEachBody"):
            yield from steps_of(step["Arguments"].get(branch) or [])


@dataclass
class Player:
    """Plays one case against the services of `client`."""

    case: dict[str, Any]
    client: Callable[[str], Any]
    timeout: float = 120.0

    @classmethod
    def at(cls, url: str, case: dict[str, Any]) -> Player:
        """A player whose clients speak to `url`; boto3's own checks are off, so that the service must check."""
        settings = Config(parameter_validation=False, retries={"total_max_attempts": 2})
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        return cls(case, lambda service: boto3.client(service, endpoint_url=url, config=settings, **keys))

    def set_up(self) -> None:
        """Role, bucket, files, queues, functions and model package groups."""
        self.client("iam").create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(TRUST))
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        shared = json.loads((DATA / "shared.json").read_text())
        for uri, held in self.case["files"].items():
            body = base64.b64decode(held.get("base64") or shared.get(held.get("shared"), ""))
            s3.put_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"), Body=body)
        for queue in self.case["queues"]:
            self.client("sqs").create_queue(QueueName=queue)
        for arn, place in self.case["functions"].items():
            self.add_function(arn.rpartition(":")[2], *place.split(":"))
        for group in self.case["groups"]:
            self.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)

    def add_function(self, name: str, file: str, handler: str) -> None:
        """A Lambda function of a file below programs/."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(PROGRAMS / file, Path(file).name)
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler=f"{Path(file).stem}.{handler}",
            Code={"ZipFile": archive.getvalue()},
        )

    def create(self, definition: dict[str, Any], name: str) -> str:
        """CreatePipeline; raises ClientError when it is refused."""
        created = self.client("sagemaker").create_pipeline(
            PipelineName=name,
            PipelineDefinition=json.dumps(definition),
            RoleArn=ROLE,
            ClientRequestToken=f"{name:-<40}",
            **self._parallelism(),
        )
        arn: str = created["PipelineArn"]
        return arn

    def _parallelism(self) -> dict[str, Any]:
        limit = self.case.get("parallelism")
        return {"ParallelismConfiguration": {"MaxParallelExecutionSteps": limit}} if limit else {}

    def start(self, pipeline: str, parameters: dict[str, str] | None = None) -> str:
        """StartPipelineExecution; raises ClientError when it is refused."""
        given = [{"Name": name, "Value": value} for name, value in (parameters or {}).items()]
        started = self.client("sagemaker").start_pipeline_execution(PipelineName=pipeline, PipelineParameters=given)
        arn: str = started["PipelineExecutionArn"]
        return arn

    def finish(self, execution: str, replies: dict[str, Any] | None = None) -> dict[str, Any]:
        """Poll until the execution ends, answering callbacks on the way. Raises TimeoutError."""
        sagemaker = self.client("sagemaker")
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            described: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
            if described["PipelineExecutionStatus"] in ENDED:
                return described
            for reply in (replies or {}).values():
                self._answer(reply)
            time.sleep(0.05)
        raise TimeoutError(f"{execution} still {described['PipelineExecutionStatus']}: {self.steps(execution)}")

    def _answer(self, reply: dict[str, str] | str) -> None:
        sqs, sagemaker = self.client("sqs"), self.client("sagemaker")
        for queue in self.case["queues"]:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
                token = json.loads(message["Body"])["token"]
                if isinstance(reply, str):
                    sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason=reply)
                else:
                    outputs = [{"Name": name, "Value": value} for name, value in reply.items()]
                    sagemaker.send_pipeline_execution_step_success(CallbackToken=token, OutputParameters=outputs)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def steps(self, execution: str) -> dict[str, dict[str, Any]]:
        """The execution's steps by name."""
        pages = self.client("sagemaker").get_paginator("list_pipeline_execution_steps")
        listed = pages.paginate(PipelineExecutionArn=execution)
        return {step["StepName"]: step for page in listed for step in page["PipelineExecutionSteps"]}

    def count(self, prefix: str) -> int:
        """Objects below a prefix of the bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sum(page.get("KeyCount", 0) for page in pages)

    def play(self, run: dict[str, Any], pipeline: str) -> list[str]:
        """Start one expected run, wait for its end; every difference from the expectation in words."""
        before = {prefix: self.count(prefix) for prefix in run.get("objects", {})}
        execution = self.start(pipeline, run.get("parameters"))
        described = self.finish(execution, run.get("replies"))
        added = {prefix: self.count(prefix) - size for prefix, size in before.items()}
        found = compare(run, described, self.steps(execution))
        if added != run.get("objects", {}):
            found.append(f"objects {added}, expected {run['objects']}")
        return found + self._asked(run.get("endpoints", {}))

    def _asked(self, endpoints: dict[str, list[str]]) -> list[str]:
        found = []
        for name, (body, answer) in endpoints.items():
            status = self.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]
            runtime = self.client("sagemaker-runtime")
            said = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=body.encode())
            text = said["Body"].read().decode()
            if (status, text) != ("InService", answer):
                found.append(f"endpoint {name} is {status} and answers {text!r}, expected {answer!r}")
        return found

    def refusal_of(self, damage: dict[str, Any], name: str) -> list[str]:
        """Create a damaged definition, and start it where it was accepted; every difference in words."""
        definition = patched(self.case["definition"], damage["patch"])
        try:
            self.create(definition, name)
            execution = self.start(name)
        except ClientError as refused:
            return wording("create", damage, refused)
        if "run" not in damage["at"]:
            self.finish(execution)
            return ["accepted"]
        status = self.finish(execution)["PipelineExecutionStatus"]
        steps = {name: step["StepStatus"] for name, step in self.steps(execution).items()}
        wanted = damage["status"]
        step = damage.get("step")
        if status in wanted and (step is None or steps.get(step) in wanted):
            return []
        return [f"execution {status}, steps {steps}; expected {wanted}" + (f", {step} too" if step else "")]


def wording(stage: str, expected: dict[str, Any], refused: ClientError) -> list[str]:
    """What is wrong with a refusal."""
    error = refused.response["Error"]
    if stage not in expected.get("at", [stage]):
        return [f"refused too early: {error['Message']}"]
    found = [] if error["Code"] == "ValidationException" else [f"code {error['Code']}"]
    lower = error["Message"].lower()
    return found + [
        f"no {word!r} in {error['Message']!r}" for word in expected.get("says", []) if word.lower() not in lower
    ]


def compare(run: dict[str, Any], described: dict[str, Any], steps: dict[str, dict[str, Any]]) -> list[str]:
    """Every difference between an execution that ended and what a run expects, in words."""
    found = []
    if described["PipelineExecutionStatus"] != run["status"]:
        found.append(f"status {described['PipelineExecutionStatus']}, expected {run['status']}")
    statuses = {name: step["StepStatus"] for name, step in steps.items()}
    if statuses != run["steps"]:
        reasons = {name: step.get("FailureReason") for name, step in steps.items() if step.get("FailureReason")}
        found.append(f"steps {statuses} ({reasons}), expected {run['steps']}")
        return found
    for name, outcome in run.get("outcomes", {}).items():
        seen = steps[name]["Metadata"]["Condition"]["Outcome"]
        found += [] if seen == outcome else [f"{name} came out {seen}"]
    for name, words in run.get("failure", {}).items():
        reason = steps[name].get("FailureReason", "")
        found += [] if words in reason else [f"{name} failed with {reason!r}, expected {words!r}"]
    cached = sorted(name for name, step in steps.items() if step.get("CacheHitResult"))
    if cached != sorted(run.get("cached", [])):
        found.append(f"cached {cached}, expected {run.get('cached', [])}")
    for name, outputs in run.get("outputs", {}).items():
        (kind,) = steps[name]["Metadata"].values()
        seen = {one["Name"]: one["Value"] for one in kind["OutputParameters"]}
        execution = described["PipelineExecutionArn"].rpartition("/")[2]
        wanted = {key: value.replace("{execution}", execution) for key, value in outputs.items()}
        found += [] if seen == wanted else [f"{name} put out {seen}, expected {wanted}"]
    return found
