"""Decisions that a service's own conditions cannot make, and the lists that its loops run over."""

from __future__ import annotations

import json

from cloudml.jobs.conditions import holds
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.failure import Refused
from cloudml.jobs.guards import mark


def decide(action: Document, context: Context) -> Made:
    """`holds`, and each comparison in words."""
    result, words = holds(action["condition"], context.values)
    return {"holds": result, "branch": "then" if result else "otherwise", "why": words}


def items(action: Document, context: Context) -> Made:
    """The list, and its indices as a text, which is what a loop takes. Raises Refused: no list, or too long a one."""
    found = context.values.json(action["items"])
    if not isinstance(found, list):
        raise Refused(f"a map runs over a list; it was given {type(found).__name__}")
    limit = action.get("limit", 100)
    if len(found) > limit:
        service = context.platform.service
        raise Refused(f"the map has {len(found)} items; a loop of {service} takes {limit}: let each item be a batch")
    mark(action, context, found)
    return {"items": found, "indices": json.dumps(list(range(len(found))))}
