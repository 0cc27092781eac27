"""Lambda of a ForEach body: the score of one item, given as a JSON object's fields."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """`score` is the weight times ten; an item with a negative weight raises."""
    weight = float(event["weight"])
    if weight < 0:
        raise ValueError("negative weight")
    return {"score": weight * 10, "label": f"{event['name']}-{event['weight']}"}
