"""Lambda that raises: its step must fail."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Always raises."""
    raise RuntimeError(f"refused {event.get('what', 'nothing')}")
