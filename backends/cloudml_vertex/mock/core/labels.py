"""Labels and display names."""

from __future__ import annotations

import re
from typing import Any

from cloudml_vertex.mock.core.errors import invalid

MOST = 64
"""User labels of one resource (docstrings of `labels` in google.cloud.aiplatform_v1.types)."""
_ALLOWED = re.compile(r"[-\w]*")
LENGTH = 64


def check(labels: Any, field: str = "labels", *, system: bool = False) -> dict[str, str]:
    """The labels. Raises INVALID_ARGUMENT.

    Keys and values: at most 64 characters, lower-case letters, numbers, underscores and dashes, international
    characters allowed; keys begin with a letter; at most 64; keys beginning `aiplatform.googleapis.com/` are Google's.
    """
    found: dict[str, str] = labels or {}
    own = {key: value for key, value in found.items() if not key.startswith("aiplatform.googleapis.com/")}
    if len(own) != len(found) and not system:
        raise invalid(f"{field}: keys that begin with 'aiplatform.googleapis.com/' are reserved for the system.")
    if len(own) > MOST:
        raise invalid(f"{field}: {len(own)} labels, and at most {MOST} are allowed.")
    for key, value in own.items():
        if not key or len(key) > LENGTH or not _fits(key) or not key[0].isalpha():
            raise invalid(
                f"{field}: the key {key!r} must begin with a lower-case letter and have at most {LENGTH} characters: "
                "lower-case letters, numeric characters, underscores and dashes."
            )
        if len(value) > LENGTH or not _fits(value):
            raise invalid(
                f"{field}: the value {value!r} of {key!r} must have at most {LENGTH} characters: lower-case letters, "
                "numeric characters, underscores and dashes."
            )
    return found


def _fits(text: str) -> bool:
    return _ALLOWED.fullmatch(text) is not None and text == text.lower()


def display_name(value: str | None, field: str = "display_name", *, required: bool = True) -> str:
    """A display name: up to 128 characters (UTF-8 bytes where Google says so). Raises INVALID_ARGUMENT."""
    text = value or ""
    if required and not text:
        raise invalid(f"{field}: a display name is required.")
    if len(text) > 128:
        raise invalid(f"{field}: a display name has at most 128 characters, and this one has {len(text)}.")
    return text
