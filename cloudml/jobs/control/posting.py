"""Messages that a job posts itself: to addresses whose form a cloud's channels do not speak, or that are secrets.

https only, with a time limit, and redirects are not followed: an address that was given is the address that is asked.
Nothing of an address is ever written anywhere.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

Document = dict[str, Any]

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
"""PagerDuty's Events API v2."""
SECONDS = 15.0
SUMMARY = 1024
"""Characters of a PagerDuty summary."""


class NotPosted(Exception):
    """The address did not take the message; the text says why, and holds nothing of the address."""


@dataclass(frozen=True)
class Message:
    """What is told. `source` names who tells it; `key` groups what belongs together; `detail` is for machines."""

    subject: str
    text: str
    source: str
    key: str = ""
    detail: Document = field(default_factory=dict)


def post(channel: str, address: str, message: Message) -> None:
    """Send it in the channel's own form. Raises NotPosted."""
    url, document = _FORMS[channel](address.strip(), message)
    _send(url, json.dumps(document).encode())


def can(channel: str) -> bool:
    """Whether a job can post to such a channel."""
    return channel in _FORMS


def _slack(address: str, message: Message) -> tuple[str, Document]:
    return address, {"text": f"*{message.subject}*\n{message.text}"}


def _webhook(address: str, message: Message) -> tuple[str, Document]:
    return address, {
        "subject": message.subject, "message": message.text, "source": message.source, "detail": message.detail,
    }  # fmt: skip


def _pagerduty(address: str, message: Message) -> tuple[str, Document]:
    """The address is the routing key of an Events API v2 integration."""
    payload = {
        "summary": f"{message.subject}: {message.text}"[:SUMMARY], "source": message.source, "severity": "warning",
        "custom_details": message.detail,
    }  # fmt: skip
    key = hashlib.sha256((message.key or message.source).encode()).hexdigest()
    return PAGERDUTY, {"routing_key": address, "event_action": "trigger", "dedup_key": key, "payload": payload}


_FORMS: dict[str, Callable[[str, Message], tuple[str, Document]]] = {
    "slack": _slack, "webhook": _webhook, "pagerduty": _pagerduty,
}  # fmt: skip


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """No address but the one that was given."""


def _send(url: str, body: bytes) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme != "https" or not host:
        raise NotPosted("its address is no https URL")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(_Stay())
    try:
        with opener.open(request, timeout=SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise NotPosted(f"its address answered {error.code}") from None
    except (OSError, ValueError, HTTPException) as error:  # InvalidURL's own text holds the address
        raise NotPosted(f"its address could not be reached ({type(error).__name__})") from None
