"""Monitor: the data that is normal becomes a monitor's baseline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import baseline
from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Store
from cloudml.runtime import drift

Seen = Callable[[str, list[Any], drift.Profile], None]


def begin(action: Document, context: Context, store: Store, served: Document, seen: Seen | None = None) -> Document:
    """Write the baseline of what is `served`; its pointer. Raises Refused: the table lacks a feature.

    `seen` is told each column: its name, values and profile.
    """
    profiles: Document = {}
    left_out = []
    for name, values in _columns(action, context):
        found = drift.profile(values)
        if found is None:
            left_out.append(name)
            continue
        profiles[name] = found
        if seen is not None:
            seen(name, values, found)
    if not profiles:
        raise Refused("the baseline has no column of numbers, text or truth values: there is nothing to compare with")
    pointer = baseline.put(store, action["folder"], profiles, served, context.values.json(action["time"]))
    for line in _news(action, pointer, profiles, left_out):
        sys.stdout.write(f"cloudml: {line}\n")
    return pointer


def _news(action: Document, pointer: Document, profiles: Document, left_out: list[str]) -> Iterator[str]:
    served = pointer["endpoint"]
    yield f"monitor {action['monitor']} compares with {len(profiles)} columns, for {served.get('name')}"
    if left_out:
        yield f"left out, as they hold neither numbers nor categories: {', '.join(left_out)}"


def _columns(action: Document, context: Context) -> Iterator[tuple[str, list[Any]]]:
    """The columns that are watched, one at a time. Raises Refused: the table has no such column."""
    from cloudml.runtime.codecs import read_value

    stored = context.sources.one(action["baseline"])
    frame = read_value(str(stored.path), "polars.DataFrame", stored.format)
    wanted = action.get("features") or frame.columns
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise Refused(f"the baseline has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    for name in wanted:
        yield name, frame[name].to_list()
