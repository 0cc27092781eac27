"""Steps that must not run: a decision made at run time went the other way."""

from __future__ import annotations

import json
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.outputs import Outcome
from cloudml.jobs.sources import RECORD, NotRun

_NO_ITEMS = {"indices": "[]"}


def reason(step: Document, context: Context) -> str | None:
    """Why the step is skipped; None when it runs."""
    for guard in step.get("guards", ()):
        condition = guard.get("condition", "the condition")
        try:
            decided = context.sources.one(guard).json()
        except NotRun:
            return f"{condition} was skipped"
        if decided != guard["equals"]:
            return f"{condition} was {'true' if decided else 'false'}"
    return None


def skipped(step: Document, context: Context, why: str) -> Outcome:
    """Leave a record in every folder that others may read, which says that there is nothing."""
    action = step.get("action", {})
    for place in _folders(step):
        folder = context.layout.output(place)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).write_text(json.dumps({"name": folder.name, "skipped": True}), encoding="utf-8")
    if action.get("name") == "items":
        mark(action, context, [])
    return Outcome("skipped", values=dict(_NO_ITEMS) if action.get("name") == "items" else {}, more={"reason": why})


def mark(action: Document, context: Context, items: list[Any]) -> None:
    """Write the list into each marker folder: the prefix of a map's outputs exists even when it has no item."""
    for marker in action.get("markers", ()):
        folder = context.layout.output(marker)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "items.json").write_text(json.dumps(items), encoding="utf-8")


def _folders(step: Document) -> list[str]:
    own = [str(port["name"]) for port in step.get("outputs", ())]
    return own + [folder for member in step.get("members", ()) for folder in _of_member(member)]


def _of_member(member: Document) -> list[str]:
    own = [f"{member['step']}/{port['name']}" for port in member.get("outputs", ())]
    inside = (*member.get("then", ()), *member.get("otherwise", ()))
    return own + [folder for one in inside for folder in _of_member(one)]
