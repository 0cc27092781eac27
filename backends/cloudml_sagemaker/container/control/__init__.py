"""Control steps: what a pipeline does besides running functions, as calls of AWS's API by the job's own role."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from cloudml.runtime.codecs.json_values import INLINE_LIMIT, write_json
from cloudml.runtime.digest import measure
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.outputs import Outcome
from cloudml_sagemaker.container.sources import Stored

Made = dict[str, Any]
"""What an action puts out: by port, an artifact that is there already, or a JSON value."""

REASON = "reason"
"""Of what an action made: no output, but what it did in words."""

_HOMES = {
    "decide": "decide",
    "items": "decide",
    "fail": "notify",
    "notify": "notify",
    "monitor": "monitor",
    "watch": "watch",
    "best": "best",
    "register": "register",
    "deploy": "deploy",
    "verify": "verify",
}


def act(step: Document, context: Context) -> Outcome:
    """Do what the step's action says. Raises what the action raises."""
    action = step["action"]
    if action["name"] == "batch":
        from cloudml_sagemaker.container.control.batch import predict

        return predict(step, context)
    home = _HOMES.get(action["name"])
    if home is None:
        raise Refused(f"this library knows no action {action['name']!r}")
    module = import_module(f"cloudml_sagemaker.container.control.{home}")
    function: Callable[[Document, Context], Made] = getattr(module, action["name"])
    return _stored(function(action, context), step, context)


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
