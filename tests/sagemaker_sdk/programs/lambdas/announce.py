"""Lambda of the pipelines: says what it was given."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """`text` joins the event's values; `count` is their number; `urgent` is whether any is \"failed\"."""
    values = [str(event[key]) for key in sorted(event)]
    return {"text": "|".join(values), "count": len(values), "urgent": "failed" in values}
