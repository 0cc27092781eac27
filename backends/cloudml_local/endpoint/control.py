"""Asking a running router: one JSON line over its unix socket, JSON lines back, the last of them the answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any


class ControlFailed(Exception):
    """The router cannot be asked: no socket, nobody there, no answer in time, or it went away meanwhile."""


class RouterRefused(Exception):
    """The router answered that it did not do it; `reason` says why and `kind` what sort of failure it was."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def ask(
    path: str, command: str, *, timeout: float, on_progress: Callable[[str], None] | None = None, **arguments: Any
) -> Mapping[str, Any]:
    """Send one command and return its answer. `timeout` (seconds) bounds the silence between two lines.

    Raises ControlFailed or RouterRefused.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "result" in message:
                        answer: Mapping[str, Any] = message["result"]
                        return answer
                    if "error" in message:
                        raise RouterRefused(message["error"]["kind"], message["error"]["reason"])
                    if on_progress is not None:
                        on_progress(message["progress"])
    except (OSError, ValueError) as error:
        raise ControlFailed(str(error) or type(error).__name__) from error
    raise ControlFailed("it ended before it answered")
