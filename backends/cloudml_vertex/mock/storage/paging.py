"""Pages of list responses. A token holds the last name that was given."""

from __future__ import annotations

import base64
import binascii

from cloudml_vertex.mock.storage.errors import invalid
from cloudml_vertex.mock.storage.http import Request

MOST = 1000
"""Items of one page (objects.list, `maxResults`)."""


def page_size(request: Request) -> int:
    """How many items one page has. Raises StorageError."""
    asked = request.number("maxResults")
    if asked is not None and asked < 0:
        raise invalid("Invalid value for maxResults: it is negative.")
    return min(asked or MOST, MOST)


def token(name: str) -> str:
    """The token of the page after this name."""
    return base64.urlsafe_b64encode(b"\n" + name.encode()).decode()


def read_token(request: Request) -> str:
    """The name after which the page begins; "" for the first. Raises StorageError."""
    given = request.query.get("pageToken", "")
    if not given:
        return ""
    try:
        found = base64.b64decode(given, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        found = ""
    if not found.startswith("\n"):
        raise invalid("Invalid page token.")
    return found[1:]
