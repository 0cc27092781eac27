"""Requests and answers of the storage server, apart from WSGI."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from cloudml_vertex.mock.storage.errors import invalid

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One request; `headers` by lower-case names; `base` is the URL by which the client reached the server."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | memoryview = b""
    base: str = ""

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; {} when there is none. Raises StorageError."""
        return document(self.body)

    def number(self, name: str) -> int | None:
        """A whole number of the query, None when it is not there. Raises StorageError."""
        given = self.query.get(name)
        if given is None:
            return None
        if not given.isascii() or not given.removeprefix("-").isdigit() or len(given) > 20:
            raise invalid(f"Invalid value for {name}: {given[:50]!r} is not a whole number.")
        return int(given)

    def flag(self, name: str) -> bool:
        """A truth value of the query."""
        return self.query.get(name, "").lower() == "true"


@dataclass
class Answer:
    """An answer; `chunks` is the body, one piece or many."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    chunks: Iterable[bytes] = ()

    @property
    def line(self) -> str:
        """Code and phrase."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Client Closed Request"  # 499, which Google sends for a cancelled upload
        return f"{self.status} {'Resume Incomplete' if self.status == 308 else phrase}"


def document(body: bytes | memoryview) -> dict[str, Any]:
    """A JSON object; {} for an empty body. Raises StorageError."""
    if not len(body):
        return {}
    try:
        found = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise invalid("Parse Error: the body is not JSON.") from None
    if not isinstance(found, dict):
        raise invalid("Parse Error: the body is not a JSON object.")
    return found


def json_answer(found: Any, status: int = 200, headers: Headers | None = None) -> Answer:
    """An answer in JSON."""
    return Answer(
        status,
        [("Content-Type", "application/json; charset=UTF-8"), *(headers or [])],
        [json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()],
    )


def target(text: str) -> tuple[str, dict[str, str]]:
    """Path (still percent-encoded) and query of a request's target."""
    path, _, query = text.partition("?")
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        found[key] = f"{found[key]},{value}" if key == "permissions" and key in found else value
    return path, found


def decoded(segment: str) -> str:
    """A percent-encoded segment of a path. Raises StorageError when it is not UTF-8."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise invalid("The name is not valid UTF-8.") from None


def from_environ(environ: Mapping[str, Any]) -> Request:
    """The request of a WSGI environ."""
    raw = environ.get("RAW_URI")
    if not raw:
        query = environ.get("QUERY_STRING", "")
        raw = str(environ.get("PATH_INFO", "")) + (f"?{query}" if query else "")
    path, query_ = target(str(raw))
    headers = {key[5:].replace("_", "-").lower(): str(value) for key, value in environ.items() if key[:5] == "HTTP_"}
    headers["content-type"] = str(environ.get("CONTENT_TYPE", ""))
    host = headers.get("host") or f"{environ.get('SERVER_NAME')}:{environ.get('SERVER_PORT')}"
    source = environ["wsgi.input"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = source.getbuffer() if isinstance(source, io.BytesIO) else source.read(length)
    scheme = environ.get("wsgi.url_scheme", "http")
    return Request(str(environ["REQUEST_METHOD"]), path, query_, headers, body, f"{scheme}://{host}")
