"""Monitor: the data that is normal becomes a monitor's baseline; a native one is put on its schedule."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from cloudml.runtime import drift
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, baseline, native_baseline
from cloudml_sagemaker.container.control.aws import Asking
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.hosting import Failed, native_monitor


def monitor(action: Document, context: Context) -> Made:
    """Write the baseline. Raises Refused: the table lacks a feature, or the native schedule cannot be made."""
    endpoint = context.values.json(action["endpoint"])
    profiles: Document = {}
    native: list[Document] = []
    left_out = []
    for name, values in _columns(action, context):
        found = drift.profile(values)
        if found is None:
            left_out.append(name)
            continue
        profiles[name] = found
        if "native" in action:
            native.append(native_baseline.feature(name, values, found))
    if not profiles:
        raise Refused("the baseline has no column of numbers, text or truth values: there is nothing to compare with")
    pointer = baseline.put(action["folder"], profiles, endpoint, context.values.json(action["time"]))
    for line in _news(action, pointer, profiles, left_out):
        sys.stdout.write(f"cloudml: {line}\n")
    if "native" in action:
        _schedule(action, native)
    return {}


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


def _schedule(action: Document, features: list[Document]) -> None:
    """Model Monitor's two files, and its schedule."""
    folder = f"{action['folder']}/native"
    baseline.write(f"{folder}/statistics.json", native_baseline.statistics(features))
    baseline.write(f"{folder}/constraints.json", native_baseline.constraints(features, action["constraints"]))
    try:
        native_monitor.ensure(Asking(), action["native"])
    except Failed as error:
        raise Refused(str(error)) from error
