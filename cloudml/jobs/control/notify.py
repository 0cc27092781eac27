"""Messages: by the cloud's own channels, to addresses that a job posts to itself, and always into the log."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from cloudml.jobs import secret_values
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.posting import Message, NotPosted, can, post
from cloudml.jobs.failure import Refused
from cloudml.jobs.messages import filled

SUBJECT = 100
"""Characters of a subject: printable ASCII in one line that begins with no blank, which every channel takes."""


def notify(action: Document, context: Context) -> Made:
    """Send the message to every channel. Raises Refused: some did not take it; the others have it."""
    message = filled(action["message"], action.get("arguments", {}), context.values)
    names = [one["name"] for one in action["alerts"]]
    line = {"run": context.run, "step": context.step["step"], "alerts": names, "message": message}
    sys.stdout.write(f"cloudml:notify {json.dumps(line, ensure_ascii=False)}\n")
    step = str(context.step["step"])
    source = str(context.step.get("project", "")) or "cloudml"
    problems = send(action["alerts"], Message(subject(step), message, source, f"{context.run}/{step}"), context)
    if problems:
        raise Refused("; ".join(problems))
    return {"reason": message}


def send(alerts: Sequence[Document], message: Message, context: Context) -> list[str]:
    """Tell every channel; what went wrong, by channel."""
    return [f"alert {one['name']}: {wrong}" for one in alerts for wrong in _tell(one, message, context)]


def _tell(alert: Document, message: Message, context: Context) -> list[str]:
    problem = context.platform.alert(alert, message)
    problems = [problem] if problem else []
    if can(alert["channel"]) and ("secret" in alert or "target" in alert):
        try:
            post(alert["channel"], _address(alert, context), message)
        except (NotPosted, Refused) as error:
            problems.append(str(error))
    return problems


def _address(alert: Document, context: Context) -> str:
    """What stands in the pipeline, or the secret's value. Raises Refused: it cannot be read."""
    if "target" in alert:
        return str(alert["target"])
    name = alert["secret"]
    variable = secret_values.PREFIX + name
    fetched = secret_values.environment([name], context)
    return fetched.get(variable) or os.environ.get(variable) or os.environ.get(name, "")


def subject(step: str) -> str:
    """The subject of a message of a step."""
    return headline(f"cloudml: {step}")


def headline(text: str) -> str:
    """A text as channels take a subject."""
    plain = text.encode("ascii", "replace").decode()
    return re.sub(r"[^ -~]+", " ", plain).strip()[:SUBJECT] or "cloudml"


def fail(action: Document, context: Context) -> NoReturn:
    """End the job as failed, with the message."""
    raise Refused(filled(action["message"], action.get("arguments", {}), context.values))
