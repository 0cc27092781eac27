"""multipart/related and multipart/mixed bodies, split without copying the content (RFC 2046)."""

from __future__ import annotations

import re
from email.message import Message

from cloudml_vertex.mock.storage.errors import invalid

Part = tuple[dict[str, str], memoryview]


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart content type. Raises StorageError."""
    header = Message()
    header["content-type"] = content_type
    found = header.get_param("boundary")
    if header.get_content_maintype() != "multipart" or not isinstance(found, str) or not found:
        raise invalid("Malformed multipart body: the content type tells no boundary.")
    return found.encode("latin-1", "replace")


def split(content_type: str, body: bytes | memoryview) -> list[Part]:
    """Headers (lower case) and content of each part. Raises StorageError."""
    view = memoryview(body)
    # A boundary is a line of its own: after a line break (or at the very beginning), and with nothing behind it.
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary(content_type)) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    parts: list[Part] = []
    start, at = None, 0
    while (found := line.search(view, at)) is not None:
        if start is not None:
            parts.append(_part(view[start : found.start()]))
        if found[1]:
            return parts
        start = found.end()
        # The break that ends this line may also begin the next boundary, when a part is empty.
        at = start - 2 if bytes(view[start - 2 : start]) == b"\r\n" else start - 1
    raise invalid("Malformed multipart body: the last boundary is missing.")


def _part(view: memoryview) -> Part:
    head, size = bytes(view[:65536]), 0
    headers: dict[str, str] = {}
    while True:
        end = head.find(b"\n", size)
        if end < 0:
            return headers, view[len(view) :] if size >= len(view) else view[size:]
        text = head[size:end].strip().decode("latin-1")
        size = end + 1
        if not text:
            return headers, view[size:]
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
