"""Decisions that SageMaker's own condition step cannot make, and the lists that its ForEach runs over."""

from __future__ import annotations

import json

from cloudml_sagemaker.container.conditions import holds
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.guards import mark


def decide(action: Document, context: Context) -> Made:
    """`holds`, and each comparison in words."""
    result, words = holds(action["condition"], context.values)
    return {"holds": result, "branch": "then" if result else "otherwise", "why": words}


def items(action: Document, context: Context) -> Made:
    """The list, and its indices as the text that ForEach takes. Raises Refused: no list, or too long a one."""
    found = context.values.json(action["items"])
    if not isinstance(found, list):
        raise Refused(f"a map runs over a list; it was given {type(found).__name__}")
    limit = action.get("limit", 100)
    if len(found) > limit:
        raise Refused(f"the map has {len(found)} items; SageMaker's ForEach takes {limit}: let each item be a batch")
    mark(action, context, found)
    return {"items": found, "indices": json.dumps(list(range(len(found))))}
