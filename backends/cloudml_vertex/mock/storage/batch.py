"""Batches: many requests in one multipart/mixed body (https://cloud.google.com/storage/docs/batch)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cloudml_vertex.mock.storage import multipart
from cloudml_vertex.mock.storage.errors import invalid
from cloudml_vertex.mock.storage.http import Answer, Request, target

MOST = 100
"""Requests of one batch."""
_MARK = "batch_cloudml"


def handle(request: Request, serve: Callable[[Request], Answer]) -> Answer:
    """Serve each part by itself, in their order. Raises StorageError."""
    parts = multipart.split(request.headers.get("content-type", ""), request.body)
    if len(parts) > MOST:
        raise invalid(f"The batch has {len(parts)} requests, and at most {MOST} are allowed.")
    pieces: list[bytes] = []
    for headers, content in parts:
        answer = _one(request, bytes(content), serve)
        identity = headers.get("content-id", "").strip("<>")
        inner = "".join(f"{name}: {value}\r\n" for name, value in answer.headers if name.lower() != "content-length")
        body = b"".join(answer.chunks)
        pieces.append(
            f"--{_MARK}\r\nContent-Type: application/http\r\nContent-ID: <response-{identity}>\r\n\r\n"
            f"HTTP/1.1 {answer.line}\r\n{inner}Content-Length: {len(body)}\r\n\r\n".encode("latin-1", "replace")
        )
        pieces += [body, b"\r\n"]
    pieces.append(f"--{_MARK}--\r\n".encode())
    return Answer(200, [("Content-Type", f'multipart/mixed; boundary="{_MARK}"')], [b"".join(pieces)])


def _one(outer: Request, content: bytes, serve: Callable[[Request], Answer]) -> Answer:
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.decode("latin-1").lstrip("\n").split("\n")
    words = lines[0].split(" ")
    if len(words) not in {2, 3}:
        raise invalid("Malformed batch: a part is no HTTP request.")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    path, query = target(words[1])
    if path.startswith(("/upload/", "/download/", "/batch")) or query.get("alt") == "media":
        raise invalid("Uploads, downloads and batches cannot be parts of a batch.")
    return serve(replace(outer, method=words[0].upper(), path=path, query=query, headers=headers, body=body))
