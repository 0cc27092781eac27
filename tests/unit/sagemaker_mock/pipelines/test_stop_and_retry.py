"""Stopping, retrying, and time limits. API reference: StopPipelineExecution, RetryPipelineExecution."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from pipeline_lab import Lab, condition, definition, equals, function, get, on, parameter, processing

DAY = 24 * 3600


def fault(lab: Lab, rule: str) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse(rule))


@pytest.fixture
def queue(lab: Lab) -> str:
    """An empty queue."""
    url = str(lab.sqs.create_queue(QueueName="callbacks")["QueueUrl"])
    messages(lab, url)
    return url


def messages(lab: Lab, queue: str) -> list[dict[str, Any]]:
    found = []
    while rows := lab.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for row in rows:
            found.append(json.loads(row["Body"]))
            lab.sqs.delete_message(QueueUrl=queue, ReceiptHandle=row["ReceiptHandle"])
    return found


def callback(name: str, queue: str, outputs: tuple[str, ...] = (), **arguments: Any) -> dict[str, Any]:
    rows = [{"OutputName": name, "OutputType": type_} for name, type_ in (each.split(":") for each in outputs)]
    return {"Name": name, "Type": "Callback", "SqsQueueUrl": queue, "Arguments": arguments, "OutputParameters": rows}


def test_stopping_stops_jobs_and_starts_nothing(lab: Lab) -> None:
    fault(lab, "hang:ProcessingJob/*")
    arn = lab.start(lab.create(definition(processing("A"), processing("B", after=["A"]))))
    lab.settle()
    assert lab.look(arn).statuses == {"A": "Executing"}
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    done = lab.look(arn)
    assert (done.status, done.statuses) == ("Stopped", {"A": "Stopped"})


def test_a_stopped_execution_is_retried(lab: Lab) -> None:
    fault(lab, "hang:ProcessingJob/*-B-*,count=1")
    arn = lab.start(lab.create(definition(processing("A"), processing("B", after=["A"]), processing("C", after=["B"]))))
    lab.settle()
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    before = lab.look(arn)
    assert before.statuses == {"A": "Succeeded", "B": "Stopped"}
    assert lab.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"] == arn
    assert lab.look(arn).status == "Executing"
    lab.settle()
    done = lab.look(arn)
    assert (done.status, set(done.statuses.values())) == ("Succeeded", {"Succeeded"})
    assert done.steps["A"] == before.steps["A"]


def test_a_failed_execution_runs_its_failed_steps_again(lab: Lab) -> None:
    runs: list[str] = []

    def flaky(event: Any) -> dict[str, Any]:
        runs.append(event["step"])
        if runs[-1] == "B" and runs.count("B") == 1:
            raise ValueError("first time")
        return {}

    lab.lambdas["flaky"] = flaky
    text = definition(
        function("A", "flaky", step="A"),
        condition("If", [equals(1, 1)], [function("B", "flaky", ["A"], step="B")]),
        function("C", "flaky", ["B"], step="C"),
    )
    done = lab.run(text)
    assert (done.status, done.statuses["B"]) == ("Failed", "Failed")
    lab.sagemaker.retry_pipeline_execution(PipelineExecutionArn=done.arn)
    lab.settle()
    after = lab.look(done.arn)
    assert (after.status, after.reason, after.statuses["C"]) == ("Succeeded", None, "Succeeded")
    assert runs == ["A", "B", "B", "C"]


def gated(lab: Lab) -> tuple[threading.Event, threading.Event]:
    """A function `gate`: it tells that it has begun, and ends when it is let."""
    begun, gate = threading.Event(), threading.Event()

    def wait(event: Any) -> dict[str, Any]:
        begun.set()
        return {"opened": gate.wait(30)}

    lab.lambdas["gate"] = wait
    return begun, gate


def test_a_handler_of_a_failure_is_forgotten_by_a_retry(lab: Lab) -> None:
    fault(lab, "internal:ProcessingJob/*-Train-*,count=1")
    text = definition(processing("Train"), processing("Notify", after=[on("Train", "Failed")]))
    done = lab.run(text)
    assert done.status == "CompletedWithFailures"
    lab.sagemaker.retry_pipeline_execution(PipelineExecutionArn=done.arn)
    lab.settle()
    assert lab.look(done.arn).statuses == {"Train": "Succeeded"}


def test_a_callback_waits_for_its_answer(lab: Lab, queue: str) -> None:
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event, context: seen.update(event) or {}
    step = callback("Ask", queue, ("n:Integer", "text:String"), number=5, who=get("Parameters.Who"))
    use = function("Use", "see", n=get("Steps.Ask.OutputParameters['n']"), t=get("Steps.Ask.OutputParameters['text']"))
    arn = lab.start(lab.create(definition(step, use, parameters=[parameter("Who", default="me")])))
    lab.settle()
    (message,) = messages(lab, queue)
    token = message.pop("token")
    assert message == {
        "pipelineExecutionArn": arn,
        "arguments": {"number": 5, "who": "me"},
        "status": "Executing",
    }
    waiting = lab.look(arn)
    assert waiting.statuses == {"Ask": "Executing"}
    assert waiting.steps["Ask"]["Metadata"]["Callback"] == {"CallbackToken": token, "SqsQueueUrl": queue}
    outputs = [{"Name": "n", "Value": "7"}, {"Name": "text", "Value": "hello"}]
    wrong = [{"Name": "n", "Value": "seven"}]
    refused = lab.refused("send_pipeline_execution_step_success", CallbackToken=token, OutputParameters=wrong)
    assert refused[0] == "ValidationException"
    answer = lab.sagemaker.send_pipeline_execution_step_success(CallbackToken=token, OutputParameters=outputs)
    assert answer["PipelineExecutionArn"] == arn
    lab.settle()
    assert (lab.look(arn).status, lab.look(arn).outputs("Ask")) == ("Succeeded", {"n": "7", "text": "hello"})
    assert seen == {"n": 7, "t": "hello"}
    assert lab.refused("send_pipeline_execution_step_success", CallbackToken=token)[0] == "ConflictException"
    assert lab.refused("send_pipeline_execution_step_success", CallbackToken="0123456789")[0] == "ResourceNotFound"


def test_a_callback_fails_with_the_reason_given(lab: Lab, queue: str) -> None:
    arn = lab.start(lab.create(definition(callback("Ask", queue))))
    lab.settle()
    token = messages(lab, queue)[0]["token"]
    lab.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="somebody said no")
    lab.settle()
    done = lab.look(arn)
    assert (done.status, done.steps["Ask"]["FailureReason"]) == ("Failed", "somebody said no")


def test_a_callback_to_no_queue_fails(lab: Lab, queue: str) -> None:
    done = lab.run(definition(callback("Ask", queue.replace("callbacks", "nowhere"))))
    assert done.status == "Failed"
    assert "nowhere" in done.steps["Ask"]["FailureReason"]


@pytest.mark.parametrize(("choice", "days", "status"), [("7-days", 7, "Failed"), ("none", 27, "Executing")])
def test_a_callback_that_nobody_answers(lab: Lab, queue: str, choice: str, days: int, status: str) -> None:
    lab.mock.world.switches.set("callback-timeout", choice)
    arn = lab.start(lab.create(definition(callback("Ask", queue))))
    lab.settle(days * DAY - 60)
    assert lab.look(arn).status == "Executing"
    lab.settle(120)
    assert lab.look(arn).status == status


def test_the_time_of_a_callback_begins_again_with_a_retry(lab: Lab, queue: str) -> None:
    arn = lab.start(lab.create(definition(callback("Ask", queue))))
    lab.settle(5 * DAY)
    lab.sagemaker.send_pipeline_execution_step_failure(CallbackToken=messages(lab, queue)[0]["token"])
    lab.settle()
    lab.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(5 * DAY)
    assert lab.look(arn).statuses == {"Ask": "Executing"}
    lab.settle(2 * DAY)
    assert lab.look(arn).statuses == {"Ask": "Failed"}


def test_stopping_waits_for_callbacks(lab: Lab, queue: str) -> None:
    arn = lab.start(lab.create(definition(callback("Ask", queue), processing("After", after=["Ask"]))))
    lab.settle()
    token = messages(lab, queue)[0]["token"]
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(3600)
    assert [(each["token"], each["status"]) for each in messages(lab, queue)] == [(token, "Stopping")]
    assert lab.look(arn).status == "Stopping"
    lab.sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    lab.settle()
    done = lab.look(arn)
    assert (done.status, done.statuses) == ("Stopped", {"Ask": "Succeeded"})


def test_stopping_waits_for_a_lambda_function(lab: Lab) -> None:
    begun, gate = gated(lab)
    arn = lab.start(lab.create(definition(function("Call", "gate"), processing("After", after=["Call"]))))
    assert begun.wait(30)
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert (lab.look(arn).status, lab.look(arn).statuses) == ("Stopping", {"Call": "Stopping"})
    gate.set()
    lab.settle()
    assert (lab.look(arn).status, lab.look(arn).statuses) == ("Stopped", {"Call": "Succeeded"})


@pytest.mark.parametrize(("stop", "status"), [(False, "Failed"), (True, "Failed")])
def test_a_lambda_function_has_ten_minutes(lab: Lab, stop: bool, status: str) -> None:
    begun, gate = gated(lab)
    arn = lab.start(lab.create(definition(function("Call", "gate"))))
    assert begun.wait(30)
    if stop:
        lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    # The function is real work that holds the clock: ten minutes pass only without patience for it.
    lab.mock.world.clock.advance(599, patience=0.05)  # type: ignore[attr-defined]
    assert lab.look(arn).status == ("Stopping" if stop else "Executing")
    lab.mock.world.clock.advance(2, patience=0.5)  # type: ignore[attr-defined]
    gate.set()
    lab.settle()
    done = lab.look(arn)
    assert (done.status, done.statuses) == (status, {"Call": "Failed"})
    assert "10 minutes" in done.steps["Call"]["FailureReason"]


def test_an_execution_has_28_days(lab: Lab, queue: str) -> None:
    lab.mock.world.switches.set("callback-timeout", "none")
    fault(lab, "hang:ProcessingJob/*")
    step = processing("A")
    arn = lab.start(lab.create(definition(callback("Ask", queue), step)))
    lab.settle(28 * DAY - 60)
    assert lab.look(arn).status == "Executing"
    lab.settle(400)
    token = messages(lab, queue)[0]["token"]
    lab.sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    lab.settle()
    done = lab.look(arn)
    assert done.status == "Failed"
    assert done.reason is not None and "672 hours" in done.reason


def test_a_request_to_stop_happens_once(lab: Lab) -> None:
    fault(lab, "hang:ProcessingJob/*")
    arn = lab.start(lab.create(definition(processing("A"))))
    lab.settle()
    for _ in range(2):
        lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    lab.settle(200)
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    assert lab.look(arn).status == "Stopped"
