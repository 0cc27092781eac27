"""Messages: to the topics of the alert channels, and always into the log."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made
from cloudml_sagemaker.container.control.aws import client, told
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.messages import filled

SUBJECT = 100
"""Characters of a subject (API reference of SNS, Publish): printable ASCII in one line."""


def notify(action: Document, context: Context) -> Made:
    """Send the message to each channel that has a topic. Raises Refused: a topic does not take it."""
    message = filled(action["message"], action.get("arguments", {}), context.values)
    names = [one["name"] for one in action["alerts"]]
    line = {"run": context.run, "step": context.step["step"], "alerts": names, "message": message}
    sys.stdout.write(f"cloudml:notify {json.dumps(line, ensure_ascii=False)}\n")
    for alert in action["alerts"]:
        topic = alert.get("TopicArn")
        if topic is None:
            continue
        try:
            client("sns").publish(TopicArn=topic, Message=message, Subject=subject(context.step["step"]))
        except Exception as error:
            raise Refused(f"{alert['name']}: the message was not taken by {topic}: {told(error)}") from error
    return {}


def subject(step: str) -> str:
    """The subject of a message of a step."""
    text = f"cloudml: {step}".encode("ascii", "replace").decode()
    return text[:SUBJECT]


def fail(action: Document, context: Context) -> NoReturn:
    """End the job as failed, with the message."""
    raise Refused(filled(action["message"], action.get("arguments", {}), context.values))
