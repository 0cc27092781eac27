"""Google's APIs over HTTP by the standard library: the service account's token, time limits, tries, errors in a line.

Tokens come from the metadata server ("Access VM metadata", GCE_METADATA_HOST as Google's own clients read it). A plain
http address is a stand-in on this machine, which is asked without one.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

ATTEMPTS = 6
SECONDS = 70.0
"""To wait for an answer: an endpoint may take 60."""
_SLOWEST = 16.0
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that may be others the next time (AIP-194, and Cloud Storage's "Retry strategy")."""
_UNDONE = frozenset({429})
"""Of those, what surely had no effect."""
_NEVER_SENT = (ConnectionRefusedError,)
_METADATA = "metadata.google.internal"
_TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - a path
_EARLY = 300.0
"""Seconds before its end from which a token is not used any more."""
_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip


class GoogleError(Exception):
    """What Google answered, or that it did not. `code`: canonical, such as NOT_FOUND; `http`: the status, 0 for none.

    `told`: whether Google answered. If not, what was asked may have taken effect.
    """

    def __init__(self, code: str, message: str, http: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http = http

    @property
    def told(self) -> bool:
        """Whether Google answered."""
        return self.http != 0


def told(error: BaseException) -> str:
    """An error in one line: code and message."""
    return str(error) if isinstance(error, GoogleError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    headers: HTTPMessage
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as JSON. Raises GoogleError: it is none."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise GoogleError("INTERNAL", f"the answer is no JSON: {error}", 200) from error
        return found if isinstance(found, dict) else {"values": found}


@dataclass(frozen=True)
class Request:
    """What is asked. `safe`: asked twice it does what it does once."""

    verb: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool = False
    seconds: float = SECONDS


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """No other address: the token is for the one that was asked."""


def send(request: Request) -> Answer:
    """Ask, again while that may help. Raises GoogleError."""
    with opened(request) as response:
        try:
            return Answer(response.headers, response.read())
        except (OSError, HTTPException) as error:
            raise GoogleError("UNAVAILABLE", f"the answer broke off: {error!r}") from error


def opened(request: Request, source: IO[bytes] | None = None) -> Any:
    """The answer as a stream, which its reader closes; `source` is sent as the body. Raises GoogleError."""
    renewed = False
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _once(request, source)
        except GoogleError as error:
            if error.http == 401 and not renewed and request.url.startswith("https://"):
                renewed = True
                _tokens.forget()
                continue
            again = _again(error, request.safe)
            if not again or attempt == ATTEMPTS:
                raise
        pause(delay(attempt))
    raise AssertionError("the last attempt returns or raises")


def _again(error: GoogleError, safe: bool) -> bool:
    if isinstance(error.__cause__, _NEVER_SENT):
        return True
    return passes(error) if safe else error.http in _UNDONE


def passes(error: GoogleError) -> bool:
    """Whether the answer may be another the next time."""
    return not error.told or error.http in _PASSING


def delay(attempt: int) -> float:
    """Seconds after a try, growing; not the same for all that try."""
    return min(_SLOWEST, 0.5 * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - to spread them


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def _once(request: Request, source: IO[bytes] | None) -> Any:
    headers = dict(request.headers)
    if request.url.startswith("https://"):
        headers["Authorization"] = f"Bearer {_tokens.get()}"
    if source is not None:
        source.seek(0)
    asked = urllib.request.Request(  # noqa: S310 - the addresses are Google's, or an operator's
        request.url, request.body if source is None else source, headers, method=request.verb
    )
    try:
        return urllib.request.build_opener(_Stay()).open(asked, timeout=request.seconds)
    except urllib.error.HTTPError as error:
        with error:
            raise _answered(error) from None
    except urllib.error.URLError as error:
        cause = error.reason if isinstance(error.reason, Exception) else error
        raise GoogleError("UNAVAILABLE", f"no answer: {cause!r}") from cause
    except (OSError, HTTPException) as error:
        raise GoogleError("UNAVAILABLE", f"no answer: {error!r}") from error


def _answered(error: urllib.error.HTTPError) -> GoogleError:
    """By Google's form of errors, google.rpc.Status or that of Cloud Storage, else by the status alone."""
    code = _CODES.get(error.code, "UNKNOWN")
    try:
        text = error.read().decode("utf-8", "replace")
        found = json.loads(text)
        inner = found["error"]
        return GoogleError(str(inner.get("status") or code), str(inner["message"]), error.code)
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return GoogleError(code, str(error.reason), error.code)


class _Tokens:
    """The service account's token, fetched anew before it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def forget(self) -> None:
        """It was not taken."""
        with self._lock:
            self._until = 0.0

    def get(self) -> str:
        """A token. Raises GoogleError: the metadata server gives none."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        host = os.environ.get("GCE_METADATA_HOST") or _METADATA
        request = Request("GET", f"http://{host}{_TOKEN}", headers={"Metadata-Flavor": "Google"}, safe=True, seconds=10)
        try:
            found = send(request).document()
            self._token = str(found["access_token"])
            self._until = time.monotonic() + float(found["expires_in"]) - _EARLY
        except (GoogleError, KeyError, ValueError) as error:
            message = f"the metadata server at {host} gives no token for the job's service account: {told(error)}"
            raise GoogleError("UNAUTHENTICATED", message) from error


_tokens = _Tokens()
