"""Steps that create something lasting: Model, RegisterModel, EndpointConfig and Endpoint."""

from __future__ import annotations

from collections.abc import Callable

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Kind, Progress
from cloudml_sagemaker.mock.pipelines.kinds.jobs import generated_name
from cloudml_sagemaker.mock.pipelines.room import Run


class CreatedKind(Kind):
    """A resource that is there as soon as it is created, under a name of this execution alone.

    AWS's SDK (EndpointConfigStep): the name in the definition gets an execution-unique suffix.
    """

    def __init__(self, noun: str, cached: tuple[str, ...] | None = None) -> None:
        self._noun = noun
        self.cached = cached

    def begin(self, attempt: Attempt) -> Progress:
        record, member = attempt.record, f"{self._noun}Name"
        arguments = attempt.resolve(attempt.step.arguments)
        name = generated_name(attempt.run, record["StepName"], prefix=arguments.get(member))
        record["_name"] = name
        attempt.run.keep(record)
        created = attempt.call(f"Create{self._noun}", {**arguments, member: name})
        attempt.note(self._noun, Arn=created[f"{self._noun}Arn"])
        return Progress("Succeeded")

    def properties(self, run: Run, record: Document) -> Document:
        return run.world.call(run.scope, f"Describe{self._noun}", {f"{self._noun}Name": record["_name"]})

    def resume(self, attempt: Attempt) -> Progress:
        try:
            found = self.properties(attempt.run, attempt.record)
        except (AwsError, KeyError):
            return self.begin(attempt)
        attempt.note(self._noun, Arn=found[f"{self._noun}Arn"])
        return Progress("Succeeded")


class RegisterKind(Kind):
    """A model package; its group is made when there is none, and the step waits until the package is complete."""

    def begin(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        arguments = attempt.resolve(attempt.step.arguments)
        group = arguments.get("ModelPackageGroupName")
        if group and not str(group).startswith("arn:"):
            _ensure_group(run, attempt, str(group))
        if "_name" not in record:
            record["_name"] = run.world.unique("register", run.arn)
            run.keep(record)
        arn = str(attempt.call("CreateModelPackage", {"ClientToken": record["_name"], **arguments})["ModelPackageArn"])
        attempt.note("RegisterModel", Arn=arn)
        record["_job"] = {"kind": "ModelPackage", "name": arn}
        run.room.waiting[("ModelPackage", run.scope, arn)] = (run.arn, record["StepName"])
        found = self.properties(run, record)
        return self.ended(run, record, found, str(found.get("ModelPackageStatus"))) or Progress("Executing")

    def properties(self, run: Run, record: Document) -> Document:
        return run.world.call(run.scope, "DescribeModelPackage", {"ModelPackageName": record["_job"]["name"]})

    def ended(self, run: Run, record: Document, document: Document, status: str) -> Progress | None:
        if status not in {"Completed", "Failed"}:
            return None
        run.room.waiting.pop(("ModelPackage", run.scope, record["_job"]["name"]), None)
        if status == "Completed":
            return Progress("Succeeded")
        return Progress("Failed", f"ClientError: model package {record['_job']['name']} failed its validation")


def _ensure_group(run: Run, attempt: Attempt, group: str) -> None:
    request: Document = {"ModelPackageGroupName": group}
    try:
        run.world.call(run.scope, "DescribeModelPackageGroup", request)
    except AwsError:
        attempt.call("CreateModelPackageGroup", request)


class EndpointKind(Kind):
    """An endpoint: created when there is none of that name, updated otherwise (AWS's SDK, EndpointStep)."""

    cached = ("EndpointName", "EndpointConfigName")

    def begin(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        arguments = attempt.resolve(attempt.step.arguments)
        name = str(arguments["EndpointName"])
        record["_job"] = {"kind": "Endpoint", "name": name, "config": arguments["EndpointConfigName"]}
        run.keep(record)
        operation = "CreateEndpoint"
        if _exists(lambda: self.properties(run, record)):
            operation = "UpdateEndpoint"
            arguments = {key: value for key, value in arguments.items() if key != "Tags"}
        attempt.note("Endpoint", Arn=attempt.call(operation, arguments)["EndpointArn"])
        # Only now: until it is accepted the endpoint's changes belong to another step that waits for them.
        run.room.waiting[("Endpoint", run.scope, name)] = (run.arn, record["StepName"])
        return Progress("Executing")

    def properties(self, run: Run, record: Document) -> Document:
        return run.world.call(run.scope, "DescribeEndpoint", {"EndpointName": record["_job"]["name"]})

    def ended(self, run: Run, record: Document, document: Document, status: str) -> Progress | None:
        if status not in {"InService", "Failed", "UpdateRollbackFailed"}:
            return None
        run.room.waiting.pop(("Endpoint", run.scope, record["_job"]["name"]), None)
        if status == "InService" and document.get("EndpointConfigName") == record["_job"]["config"]:
            return Progress("Succeeded")
        reason = document.get("FailureReason") or f"endpoint {record['_job']['name']} went back to its former config"
        return Progress("Failed", f"ClientError: {reason}")

    def resume(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        if "_job" not in record:
            return self.begin(attempt)
        try:
            found = self.properties(run, record)
        except AwsError:
            return self.begin(attempt)
        run.room.waiting[("Endpoint", run.scope, record["_job"]["name"])] = (run.arn, record["StepName"])
        if found.get("EndpointStatus") == "InService" and found["EndpointConfigName"] != record["_job"]["config"]:
            return self.begin(attempt)
        attempt.note("Endpoint", Arn=found["EndpointArn"])
        return self.ended(run, record, found, str(found["EndpointStatus"])) or Progress("Executing")


def _exists(describe: Callable[[], Document]) -> bool:
    try:
        describe()
    except AwsError:
        return False
    return True
