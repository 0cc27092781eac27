"""Messages: to the topics of the alert channels, to addresses that a job posts to itself, and always into the log."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from cloudml_sagemaker.container import secret_values
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made
from cloudml_sagemaker.container.control.aws import client, told
from cloudml_sagemaker.container.control.posting import Message, NotPosted, can, post
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.messages import filled

SUBJECT = 100
"""Characters of a subject (API reference of SNS, Publish): printable ASCII in one line that begins with no blank."""
LARGEST = 262_144
"""Bytes of a message (the same)."""


def notify(action: Document, context: Context) -> Made:
    """Send the message to every channel. Raises Refused: some did not take it; the others have it."""
    message = filled(action["message"], action.get("arguments", {}), context.values)
    names = [one["name"] for one in action["alerts"]]
    line = {"run": context.run, "step": context.step["step"], "alerts": names, "message": message}
    sys.stdout.write(f"cloudml:notify {json.dumps(line, ensure_ascii=False)}\n")
    project, step = str(context.step.get("project", "")), str(context.step["step"])
    problems = send(
        action["alerts"], Message(subject(step), message, project or "cloudml", f"{context.run}/{step}"), project
    )
    if problems:
        raise Refused("; ".join(problems))
    return {"reason": message}


def send(alerts: Sequence[Document], message: Message, project: str) -> list[str]:
    """Tell every channel; what went wrong, by channel. `project`: whose secrets are read."""
    return [f"alert {one['name']}: {wrong}" for one in alerts for wrong in _tell(one, message, project)]


def _tell(alert: Document, message: Message, project: str) -> list[str]:
    problems = []
    if "TopicArn" in alert:
        text = message.text.encode()[:LARGEST].decode("utf-8", "ignore")
        try:
            client("sns").publish(TopicArn=alert["TopicArn"], Message=text, Subject=message.subject)
        except Exception as error:  # noqa: BLE001 - the other channels are still to be told
            problems.append(f"the message was not taken by {alert['TopicArn']}: {told(error)}")
    if can(alert["channel"]) and ("secret" in alert or "target" in alert):
        try:
            post(alert["channel"], _address(alert, project), message)
        except (NotPosted, Refused) as error:
            problems.append(str(error))
    return problems


def _address(alert: Document, project: str) -> str:
    """What stands in the pipeline, or the secret's value. Raises Refused: it cannot be read."""
    if "target" in alert:
        return str(alert["target"])
    name = alert["secret"]
    variable = secret_values.PREFIX + name
    fetched = secret_values.environment([name], project)
    return fetched.get(variable) or os.environ.get(variable) or os.environ.get(name, "")


def subject(step: str) -> str:
    """The subject of a message of a step."""
    return headline(f"cloudml: {step}")


def headline(text: str) -> str:
    """A text as SNS takes a subject."""
    plain = text.encode("ascii", "replace").decode()
    return re.sub(r"[^ -~]+", " ", plain).strip()[:SUBJECT] or "cloudml"


def fail(action: Document, context: Context) -> NoReturn:
    """End the job as failed, with the message."""
    raise Refused(filled(action["message"], action.get("arguments", {}), context.values))
