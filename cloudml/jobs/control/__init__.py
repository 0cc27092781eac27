"""Control steps: what a pipeline does besides running functions, by calls of the cloud's API in the job's own name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.failure import Refused
from cloudml.jobs.outputs import Outcome
from cloudml.jobs.sources import Stored
from cloudml.runtime.codecs.json_values import INLINE_LIMIT, write_json
from cloudml.runtime.digest import measure

Made = dict[str, Any]
"""What an action puts out: by port, an artifact that is there already, or a JSON value."""

REASON = "reason"
"""Of what an action made: no output, but what it did in words."""

_OWN = {
    "decide": "cloudml.jobs.control.decide",
    "items": "cloudml.jobs.control.decide",
    "fail": "cloudml.jobs.control.notify",
    "notify": "cloudml.jobs.control.notify",
}
"""Actions that need nothing of a cloud but what every platform has."""


def act(step: Document, context: Context) -> Outcome:
    """Do what the step's action says. Raises what the action raises.

    An action puts out what it made; one that runs a function of its own, the whole outcome.
    """
    action = step["action"]
    home = {**_OWN, **context.platform.actions}.get(action["name"])
    if home is None:
        raise Refused(f"this library knows no action {action['name']!r}")
    function: Callable[[Document, Context], Made | Outcome] = getattr(import_module(home), action["name"])
    made = function(action, context)
    return made if isinstance(made, Outcome) else _stored(made, step, context)


def _stored(made: Made, step: Document, context: Context) -> Outcome:
    ports = {port["name"]: port for port in step.get("outputs", ())}
    outputs, values = {}, {}
    more = {REASON: made.pop(REASON)} if REASON in made else {}
    for name, value in made.items():
        if isinstance(value, Stored):
            outputs[name] = value
            if value.format == "json" and value.size <= INLINE_LIMIT:
                values[name] = value.json()
            continue
        values[name] = value
        if name in ports:
            outputs[name] = write(name, ports[name]["type"], value, context)
    missing = [name for name in ports if name not in outputs]
    if missing:
        raise Refused(f"the action made no {', '.join(missing)}")
    metrics = {name: values[name] for name, port in ports.items() if port.get("mode") == "metrics" and name in values}
    return Outcome("succeeded", outputs, values, metrics, more=more)


def write(name: str, type_name: str, value: Any, context: Context) -> Stored:
    """A JSON value as an artifact."""
    path = context.folder("made", name) / f"{name}.json"
    write_json(value, str(path))
    digest, size = measure(path)
    return Stored(name, type_name, "json", digest, size, path.name, path)
