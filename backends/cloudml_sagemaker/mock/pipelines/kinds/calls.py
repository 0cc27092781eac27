"""Steps that hand over to others: Lambda and Callback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.pipelines import lambdas, records
from cloudml_sagemaker.mock.pipelines.definition.model import Step
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Kind, Progress, StepFailed
from cloudml_sagemaker.mock.pipelines.room import Run

VALUE_LIMIT = 1024
"""Characters of an output parameter's value (service model)."""


def typed_outputs(step: Step, given: Mapping[str, Any]) -> Document:
    """The values of the outputs that the definition declares, each of its declared type; nested ones become text.

    Raises StepFailed for a value that is not of its type or too long.
    """
    found: Document = {}
    for name, kind in step.outputs.items():
        if name in given:
            try:
                found[name] = _CASTS[kind](given[name])
            except (TypeError, ValueError, KeyError):
                raise StepFailed(
                    f"ClientError: output parameter {name} is not of type {kind}: {given[name]!r}"
                ) from None
            if len(_text(found[name])) > VALUE_LIMIT:
                raise StepFailed(f"ClientError: the value of output parameter {name} is longer than {VALUE_LIMIT}")
    return found


def listed_outputs(values: Mapping[str, Any]) -> list[Document]:
    """Output parameters as the step list shows them: every value is text."""
    return [{"Name": name, "Value": _text(value)} for name, value in values.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _integer(value: Any) -> int:
    number = float(value)
    if isinstance(value, bool) or not number.is_integer():
        raise ValueError(value)
    return int(number)


def _boolean(value: Any) -> bool:
    return {"true": True, "false": False}[_text(value).lower()]


_CASTS: dict[str, Callable[[Any], Any]] = {"String": _text, "Integer": _integer, "Float": float, "Boolean": _boolean}


class _Answered(Kind):
    """What both have in common: outputs, and an end that comes from outside."""

    def properties(self, run: Run, record: Document) -> Document:
        return {"OutputParameters": dict(record.get("_outputs") or {})}


class LambdaKind(_Answered):
    """Invokes a function and waits for its result, ten minutes at most (developer guide, "Lambda step")."""

    cached = ("*", "FunctionArn")

    def begin(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        arn = str(attempt.resolve(attempt.step.raw["FunctionArn"]))
        event = attempt.resolve(attempt.step.arguments)
        attempt.note("Lambda", Arn=arn)
        record.pop("_awaits", None)
        run.room.driver.invoke(run.scope, run.arn, record, arn, event)
        return Progress("Executing")

    def stop(self, run: Run, record: Document) -> Progress | None:
        if "_awaits" in record:
            return Progress("Stopped")
        # A function cannot be stopped: the execution waits for it (API reference, StopPipelineExecution).
        return Progress("Stopping")

    def resume(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        function = str(attempt.resolve(attempt.step.raw["FunctionArn"]))
        if lambdas.known(run.world, run.scope, function):
            return self.begin(attempt)
        # A Python handler is given to a mock only after its start: the step waits for it as long as for its end.
        if "_awaits" not in record:
            record["_awaits"] = function
            run.room.driver.limit_lambda(run.scope, run.arn, record)
        return Progress(record["StepStatus"] if record["StepStatus"] != "Starting" else "Executing")


class CallbackKind(_Answered):
    """Sends a token to a queue and waits until somebody answers with it."""

    cached = ("*", "SqsQueueUrl")

    def begin(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        record["_queue"] = str(attempt.resolve(attempt.step.raw["SqsQueueUrl"]))
        record["_arguments"] = attempt.resolve(attempt.step.arguments)
        token = record["_token"] = run.world.unique("callback", run.arn)[:10]
        tokens = run.world.table(records.TOKENS, run.scope)
        tokens.put(token, {"execution": run.arn, "step": record["StepName"]})
        run.keep(record)
        attempt.note("Callback", CallbackToken=token, SqsQueueUrl=record["_queue"])
        _send(run, record, "Executing")
        run.room.driver.expect_callback(run.scope, run.arn, record)
        return Progress("Executing")

    def stop(self, run: Run, record: Document) -> Progress | None:
        # The execution goes on stopping until the token is answered (API reference, StopPipelineExecution).
        if "_token" not in record:
            return Progress("Stopped")
        try:
            _send(run, record, "Stopping")
        except StepFailed as failure:
            return Progress("Failed", failure.reason)
        return Progress("Stopping")

    def resume(self, attempt: Attempt) -> Progress:
        if "_token" not in attempt.record:
            return self.begin(attempt)
        attempt.run.room.driver.expect_callback(attempt.run.scope, attempt.run.arn, attempt.record)
        return Progress(attempt.record["StepStatus"])


def _send(run: Run, record: Document, status: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    body = {
        "token": record["_token"],
        "pipelineExecutionArn": run.arn,
        "arguments": record["_arguments"],
        "status": status,
    }
    try:
        queue = run.world.aws.client("sqs", run.scope)
        queue.send_message(QueueUrl=record["_queue"], MessageBody=json.dumps(body))
    except (ClientError, BotoCoreError) as error:
        raise StepFailed(
            f"ClientError: Failed to send a message to {record['_queue']}. Error Details: {error}"
        ) from None
