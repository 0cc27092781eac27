"""What commands print: one JSON object for programs, or text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

OUTPUT_VERSION = 1
"""Of the JSON objects on stdout; it rises when a field changes its meaning or goes away."""


def write_json(document: Mapping[str, Any]) -> None:
    """One line on stdout: the object, with `version` first. Numbers that JSON cannot say become null."""
    import json

    print(
        json.dumps(_finite({"version": OUTPUT_VERSION, **document}), ensure_ascii=False, default=str, allow_nan=False)
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def write(text: str = "") -> None:
    """One piece of text on stdout; what the terminal's encoding cannot say is replaced."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding))
