"""Questions to people: Callback steps that wait, who may answer, and what an answer does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.errors import Refused
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.compile.expressions import every
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.refusals import AwsError

LONGEST = 1024
"""Characters of an output parameter, and of a reason (OutputParameter, FailureReason: 1024 in the service model)."""
_OPEN = frozenset({"Starting", "Executing", "Stopping"})
_SUBJECT = re.compile(r"Steps\.(?P<step>[A-Za-z0-9_-]+)\..*Outputs\['(?P<output>[^']+)'\]")


@dataclass(frozen=True)
class Question:
    """An approval that a run waits for. `expires`: seconds after `asked_at`; `subject`: a version of a model."""

    task: str
    token: str
    approvers: tuple[str, ...]
    expires: float | None
    asked_at: datetime
    subject: tuple[str, int] | None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and (now - self.asked_at).total_seconds() >= self.expires


def questions(execution: Execution) -> list[Question]:
    """What an execution waits for, in the author's order."""
    found: list[Question] = []
    steps = {one["Name"]: one for one in every(list(execution.definition["Steps"]))}
    for task, started in execution.started.items():
        for part, step in started:
            if step.token is None or step.status not in _OPEN:
                continue
            asked: Mapping[str, Any] = steps[part.name].get("Arguments", {})
            expires = asked.get("expires")
            found.append(
                Question(
                    task=task,
                    token=step.token,
                    approvers=tuple(json.loads(asked.get("approvers") or "[]")),
                    expires=float(expires) if expires is not None else None,
                    asked_at=step.started_at or datetime.now(UTC),
                    subject=_subject(execution, asked.get("subject")),
                )
            )
    return found


def _subject(execution: Execution, expression: Any) -> tuple[str, int] | None:
    """The version that is asked about: what the register step at the other end of the expression has made."""
    text = expression.get("Get") if isinstance(expression, dict) else None
    match = _SUBJECT.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    name = next((task.name for task in execution.outline if match["step"] in {part.name for part in task.parts}), "")
    record = execution.record.task(name)
    version = record.values.get(match["output"]) if record is not None else None
    if not isinstance(version, dict) or "model" not in version or "version" not in version:
        return None
    return str(version["model"]), int(version["version"])


def question(execution: Execution, task: str, who: str) -> Question:
    """The open question of a task that this person may answer. Raises Refused."""
    waiting = {one.task: one for one in questions(execution)}
    run = execution.record.id
    if task not in waiting:
        hint = f"it waits for {', '.join(waiting)}" if waiting else f"{run} waits for nobody"
        raise Refused(f"{run} does not wait for an approval of {task!r}", hint=hint)
    found = waiting[task]
    if found.approvers and who not in found.approvers:
        raise Refused(f"{who!r} may not approve {task!r}", hint=f"its approvers are {', '.join(found.approvers)}")
    return found


def accept(client: Client, asked: Question, who: str, reason: str) -> None:
    """Let the run go on. Raises Refused when somebody else was faster, AwsError."""
    said = {"action": "approved", "who": who, "reason": reason or "-"}
    outputs = [{"Name": name, "Value": text[:LONGEST]} for name, text in said.items()]
    _answer(client, "SendPipelineExecutionStepSuccess", asked, OutputParameters=outputs)


def reject(client: Client, asked: Question, why: str) -> None:
    """Let the step fail with these words. Raises Refused when somebody else was faster, AwsError."""
    _answer(client, "SendPipelineExecutionStepFailure", asked, FailureReason=why[:256])


def _answer(client: Client, operation: str, asked: Question, **words: Any) -> None:
    try:
        client.call("sagemaker", operation, CallbackToken=asked.token, **words, purpose=asked.token)
    except AwsError as error:
        if error.kind not in ("conflict", "missing"):
            raise
        raise Refused(f"{asked.task!r} is answered already", hint="cloudml show RUN tells by whom") from error


def expire(client: Client, execution: Execution) -> bool:
    """Answer what nobody answered in time; whether anything was. Raises AwsError."""
    late = [one for one in questions(execution) if one.expired(datetime.now(UTC))]
    for one in late:
        try:
            reject(client, one, f"nobody approved within {one.expires:g} s")
        except Refused:
            continue
    return bool(late)
