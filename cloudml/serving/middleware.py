"""What every answer carries and every request leaves behind: ids, the model's version, counters, no traceback."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from cloudml.serving.state import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "cloudml.request_id"
"""The key of the request's id in the ASGI scope."""

_log = logging.getLogger(__name__)
_PRINTABLE = re.compile(rb"[\x21-\x7e]{1,128}")
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"


class Observed:
    """ASGI middleware: adds headers, counts prediction requests, turns a bug of ours into a plain 500."""

    def __init__(self, app: ASGIApp, *, state: ServerState) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; non-HTTP scopes untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        received = dict(scope["headers"])
        request_id = _request_id(received.get(b"x-request-id", b""))
        scope[REQUEST_ID] = request_id.decode()
        extra = [(b"x-cloudml-model-version", self.state.model_version.encode()), (b"x-request-id", request_id)]
        if _ATTRIBUTES in received:
            extra.append((_ATTRIBUTES, received[_ATTRIBUTES]))
        status = 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self.app(scope, receive, observed_send)
        except Exception:
            _log.exception("request %s failed inside the server", request_id.decode())
            if status:
                raise
            await _plain_error(observed_send)
        finally:
            if scope["method"] == "POST":
                self.state.counters.observe(status or 500, time.perf_counter() - began)


def _request_id(given: bytes) -> bytes:
    """The client's own id when it is harmless in a log and a header, else a new one."""
    return given if _PRINTABLE.fullmatch(given) else uuid.uuid4().hex.encode()


async def _plain_error(send: Send) -> None:
    body = b'{"error":"internal error; see the server\'s log"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
