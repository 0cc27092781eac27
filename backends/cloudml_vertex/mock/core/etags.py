"""Etags: read-modify-write without losing the change of another."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cloudml_vertex.mock.core.errors import aborted, failed_precondition, invalid
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
_CODES = {"aborted": aborted, "failed-precondition": failed_precondition, "invalid-argument": invalid}


def of(document: Document) -> str:
    """The etag of what a document says now, itself left out."""
    public = {key: value for key, value in document.items() if not key.startswith("_") and key != "etag"}
    digest = hashlib.sha256(json.dumps(public, sort_keys=True).encode()).digest()
    return base64.b64encode(digest[:9]).decode()


def check(world: World, document: Document, given: str | None) -> None:
    """Raises when `given` is an etag of another state (code: switch `etag-mismatch`); none at all is a blind write."""
    if given and given != document.get("etag"):
        raise _CODES[world.switches["etag-mismatch"]](
            f"The etag {given!r} does not match the current one: the resource was changed in the meantime."
        )
