"""Questions to people: who may answer, what an answer sends, and what becomes of one that nobody answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_aws import FakeClient

from cloudml.backend.records import RunRecord, TaskRecord
from cloudml.errors import Refused
from cloudml_sagemaker import approvals
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.outline import Part, Task
from cloudml_sagemaker.refusals import Call, refusal
from cloudml_sagemaker.tasks import Step

SUBJECT = {"Get": "Steps.register_m.ProcessingOutputConfig.Outputs['version'].S3Output.S3Uri"}


def execution(status: str = "Executing", **arguments: Any) -> Execution:
    """A run with a register step that has made version 3 of model m, and a gate asked a minute ago."""
    ago = datetime.now(UTC) - timedelta(seconds=60)
    gate, register = Part("gate", "Callback"), Part("register_m", "Processing")
    asked = {"approvers": json.dumps(["ada", "grace"]), "subject": SUBJECT, **arguments}
    definition = {
        "Steps": [
            {"Name": "register_m", "Type": "Processing", "Arguments": {}},
            {"Name": "gate", "Type": "Callback", "Arguments": asked},
        ]
    }
    version = {"version": {"model": "m", "version": 3}}
    tasks = (
        TaskRecord("register_m", "register", "succeeded", values=version),
        TaskRecord("gate", "approve", "waiting"),
    )
    record = RunRecord("abc", "p", "waiting", {}, "", tasks=tasks)
    ago = datetime.now(UTC) - timedelta(seconds=60)
    started = {"gate": ((gate, Step("gate", status, started_at=ago, token="token12345")),)}
    outline = (Task("register_m", "register", parts=[register]), Task("gate", "approve", parts=[gate]))
    return Execution("arn", definition, outline, record, started, "Executing", ago)


def test_an_open_question_knows_its_subject_and_its_approvers() -> None:
    [found] = approvals.questions(execution())
    assert (found.task, found.token, found.approvers, found.subject) == (
        "gate",
        "token12345",
        ("ada", "grace"),
        ("m", 3),
    )
    assert approvals.questions(execution("Succeeded")) == []


def test_a_step_of_a_map_or_an_unknown_register_step_has_no_subject() -> None:
    [found] = approvals.questions(execution(subject={"Get": "Steps.other.Outputs['version']"}))
    assert found.subject is None


@pytest.mark.parametrize(("task", "who", "words"), [("gate", "mallory", "may not"), ("fit", "ada", "does not wait")])
def test_who_may_not_answer(task: str, who: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        approvals.question(execution(), task, who)


def answered() -> FakeClient:
    return FakeClient(SendPipelineExecutionStepSuccess=lambda **_: {}, SendPipelineExecutionStepFailure=lambda **_: {})


def test_what_answers_send() -> None:
    client, asked = answered(), approvals.question(execution(), "gate", "ada")
    approvals.accept(client, asked, "ada", "")
    approvals.reject(client, asked, "rejected by ada: " + "x" * 400)
    (accepted, yes), (rejected, no) = client.asked
    assert accepted == "SendPipelineExecutionStepSuccess"
    outputs = {one["Name"]: one["Value"] for one in yes["OutputParameters"]}
    assert outputs == {"action": "approved", "who": "ada", "reason": "-"}
    assert rejected == "SendPipelineExecutionStepFailure"
    assert (no["CallbackToken"], len(no["FailureReason"])) == ("token12345", 256), "FailureReason: at most 256"


@pytest.mark.parametrize(("expires", "late"), [("30", True), ("90", False)])
def test_what_nobody_answers_in_time_fails(expires: str, late: bool) -> None:
    client = answered()
    assert approvals.expire(client, execution(expires=expires)) is late
    assert [request["FailureReason"] for _, request in client.asked] == (
        ["nobody approved within 30 s"] if late else []
    )


def test_somebody_was_faster() -> None:
    def gone(**_: Any) -> Any:
        message = "The step with the callback token x is not waiting any more."
        raise refusal(
            Call("sagemaker", "SendPipelineExecutionStepSuccess", "us-east-1", "ConflictException", message, 400)
        )

    asked = approvals.question(execution(), "gate", "ada")
    with pytest.raises(Refused, match="answered already"):
        approvals.accept(FakeClient(SendPipelineExecutionStepSuccess=gone), asked, "ada", "yes")
