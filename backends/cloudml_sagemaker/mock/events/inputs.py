"""What a target is given: the matched event, a constant, a part of it, or a template filled from it.

Source: EventBridge user guide, "Amazon EventBridge input transformation"; EventBridge API reference, Target and
InputTransformer; EventBridge Scheduler user guide, "Adding context attributes".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Event = dict[str, Any]

_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\['([^']+)'\]|\[\"([^\"]+)\"\]|\[(\d+)\]")
_PLACE = re.compile(r"<([A-Za-z0-9_.\-]+)>")

ABSENT = object()
"""What a path leads to when nothing is there."""


def at(path: str, event: Any) -> Any:
    """The value that a JSON path (`$.detail.a`, `$.resources[0]`) leads to, or ABSENT."""
    if not path.startswith("$"):
        return ABSENT
    value, position = event, 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            return ABSENT
        name = found[1] or found[2] or found[3]
        if name is not None:
            value = value.get(name, ABSENT) if isinstance(value, dict) else ABSENT
        else:
            index = int(found[4])
            value = value[index] if isinstance(value, list) and index < len(value) else ABSENT
        if value is ABSENT:
            return ABSENT
        position = found.end()
    return value


def of(target: Mapping[str, Any], event: Event, reserved: Mapping[str, Any]) -> str:
    """The text that a rule's target receives: by Input, InputPath or InputTransformer, else the event.

    `reserved` are the values of `<aws.events...>` beside those made from the event itself.
    """
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        value = at(target["InputPath"], event)
        return json.dumps(None if value is ABSENT else value)
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values: dict[str, Any] = {
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
        "aws.events.event.ingestion-time": event["time"],
        **reserved,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        value = at(path, event)
        if value is not ABSENT:
            values[name] = value
    return fill(transformer["InputTemplate"], values)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template with its `<places>` filled. In JSON a value outside of quotes is written as JSON, strings with quotes;
    inside quotes as bare text. A place without a value becomes empty."""
    is_json = template.lstrip()[:1] in {"{", "[", '"'}
    written: list[str] = []
    quoted, position = False, 0
    for found in _PLACE.finditer(template):
        between = template[position : found.start()]
        written.append(between)
        quoted = _quoted(between, quoted)
        written.append(_written(values.get(found[1], ABSENT), inside=quoted, is_json=is_json))
        position = found.end()
    written.append(template[position:])
    return "".join(written)


def _quoted(text: str, before: bool) -> bool:
    quotes = len(re.findall(r'(?<!\\)(?:\\\\)*"', text))
    return before != (quotes % 2 == 1)


def _written(value: Any, *, inside: bool, is_json: bool) -> str:
    if value is ABSENT:
        return "" if inside or not is_json else '""'
    if inside or not is_json:
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1] if inside and is_json else text
    return json.dumps(value)


def context(text: str, attributes: Mapping[str, str]) -> str:
    """A schedule's Input with the context attributes of EventBridge Scheduler (`<aws.scheduler...>`) filled."""
    return _PLACE.sub(lambda found: attributes.get(found[1], found[0]), text)
