"""Reading HTTP/1.1 requests from a stream into WSGI environs, with limits; whatever is malformed is refused as 4xx."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

LINE = 65536
HEADERS = 200
BODY = 5 * 1024**3 + 1024**2
"""Bytes of a body: S3's limit of one PUT (5 GiB), and room for the framing of aws-chunked."""

_PIECE = 4 * 1024 * 1024
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_PRESERVED = "moto.preserved_header_names"
"""moto's key for header names whose underscores S3 keeps (user metadata); see `moto.core.request`."""


class BadRequest(Exception):
    """The request is no HTTP; `status` and `title` for its answer."""

    def __init__(self, status: int, title: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.title = title
        self.reason = reason


@dataclass(frozen=True)
class Head:
    """Request line and headers."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str:
        """The value of a header, "" when it is not there; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def keep_alive(self) -> bool:
        """Whether the client lets the connection stay."""
        said = self.get("connection").lower()
        return "close" not in said and (self.version == "HTTP/1.1" or "keep-alive" in said)

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self.version == "HTTP/1.1" and self.get("expect").strip().lower() == "100-continue"


def read_head(stream: BinaryIO) -> Head | None:
    """The next request's head; None when the client has closed. Raises BadRequest."""
    line = _line(stream)
    while line in {b"\r\n", b"\n"}:
        line = _line(stream)
    if not line:
        return None
    parts = line.split()
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not parts[2].startswith(b"HTTP/1."):
        raise BadRequest(400, "Bad Request", "The request line is not one of HTTP/1.1.")
    headers: list[tuple[str, str]] = []
    while (line := _line(stream)) not in {b"\r\n", b"\n"}:
        name, colon, value = line.partition(b":")
        if not line or not colon or not _TOKEN.match(name):
            raise BadRequest(400, "Bad Request", "A header is malformed.")
        headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        if len(headers) > HEADERS:
            raise BadRequest(431, "Request Header Fields Too Large", f"There are more than {HEADERS} headers.")
    method, target, version = (part.decode("latin-1") for part in parts)
    return Head(method, target, version, headers)


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(LINE + 1)
    if len(line) > LINE:
        raise BadRequest(431, "Request Header Fields Too Large", f"A line is longer than {LINE} bytes.")
    return line


def _body(head: Head, stream: BinaryIO) -> bytes:
    length = head.get("content-length")
    if head.get("transfer-encoding"):
        if length or head.get("transfer-encoding").strip().lower() != "chunked":
            raise BadRequest(400, "Bad Request", "The body's framing is not clear: chunked, or a Content-Length.")
        return _chunked(stream)
    if not length:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "Bad Request", "Content-Length is not a number.")
    return _exactly(stream, _sized(int(length)))


def _sized(size: int) -> int:
    if size > BODY:
        raise BadRequest(413, "Content Too Large", f"The body is larger than {BODY} bytes.")
    return size


def _exactly(stream: BinaryIO, size: int) -> bytes:
    # In pieces: a length that was only claimed takes no memory.
    parts: list[bytes] = []
    left = size
    while left:
        part = stream.read(min(left, _PIECE))
        if not part:
            raise ConnectionError("the client closed in the middle of a body")
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _chunked(stream: BinaryIO) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        size_text = _line(stream).split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size_text):
            raise BadRequest(400, "Bad Request", "A chunk's size is malformed.")
        size = int(size_text, 16)
        total = _sized(total + size)
        if size == 0:
            while _line(stream) not in {b"\r\n", b"\n", b""}:
                pass
            return b"".join(parts)
        parts.append(_exactly(stream, size))
        if _line(stream) not in {b"\r\n", b"\n"}:
            raise BadRequest(400, "Bad Request", "A chunk does not end where it says.")


def environ_of(head: Head, stream: BinaryIO, address: tuple[str, int], port: int) -> dict[str, Any]:
    """Read the body, and make the WSGI environ (PEP 3333; RAW_URI as Werkzeug and gunicorn give it)."""
    body = _body(head, stream)
    try:
        url = urlsplit(head.target)
    except ValueError:
        raise BadRequest(400, "Bad Request", "The request's target is malformed.") from None
    path = url.path if url.scheme or not url.netloc else f"//{url.netloc}{url.path}"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": head.target,
        "REQUEST_URI": head.target,
        "QUERY_STRING": url.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": head.version,
        "REMOTE_ADDR": address[0],
        "REMOTE_PORT": address[1],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    _add_headers(environ, head.headers)
    if url.scheme and url.netloc:
        environ["HTTP_HOST"] = url.netloc
    # Said after the headers: chunks were joined, so that this is the length now.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("HTTP_EXPECT", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _add_headers(environ: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    preserved: dict[str, str] = {}
    dashed = {name.upper().replace("-", "_") for name, _ in headers if "_" not in name}
    for name, value in headers:
        folded = name.upper().replace("-", "_")
        key = folded if folded in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{folded}"
        if "_" in name:
            # WSGI cannot tell X_Foo from X-Foo: such headers are dropped, save S3's user metadata.
            if not name.lower().startswith("x-amz-meta-") or folded in dashed:
                continue
            preserved.setdefault(key, name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ[_PRESERVED] = preserved
