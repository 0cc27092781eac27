"""Run parameters on their way to SageMaker and back: typed values here, texts of at most 1,024 characters there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudml.backend.parameters import bind_parameters
from cloudml.errors import Diagnostic, SpecError
from cloudml_sagemaker import names

ABOUT = "cloudml"
"""The key in a definition's Metadata under which the compiler tells what SageMaker has no words for."""
RUN_TIME = "cloudml:run-time"
"""What a parameter holds whose default is the time of the run."""
LONGEST = 1024
"""Characters of a value (PipelineParameter in the service model)."""
LONGEST_ARGUMENT = 256
"""Characters of one argument of a container (ContainerArgument); a job is given `parameters.<name>=<value>`."""

_READ: Mapping[str, Callable[[str], Any]] = {
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: text.lower() == "true",
    "String": str,
}


def metadata(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What the compiler told of the pipeline: `pipeline`, `parameters`; empty for a definition of somebody else's."""
    try:
        found = json.loads(definition.get("Metadata", {}).get(ABOUT, "{}"))
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def bound(definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, read as the declared types. Raises SpecError with all that is wrong (CML403)."""
    values = bind_parameters(metadata(definition).get("parameters", []), given)
    return {name: values[name] for name in given}


def texts(definition: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Typed values as SageMaker takes them, by its names. Raises SpecError (CML403) for what it cannot carry."""
    found = {names.parameter(name): _text(definition, name, value) for name, value in values.items()}
    wrong: list[Diagnostic] = []
    for name in values:
        text = found[names.parameter(name)]
        room = min(LONGEST, LONGEST_ARGUMENT - len(f"parameters.{name}="))
        if not text:
            message, hint = "SageMaker takes no empty text", "give it another value, or a default"
        elif len(text) > room:
            message = f"its value has {len(text)} characters, and a job can be given {room}"
            hint = "put it into a file, and give its address"
        else:
            continue
        wrong.append(Diagnostic("CML403", f"parameter {name}", message, hint))
    if wrong:
        raise SpecError(wrong)
    return found


def _text(definition: Mapping[str, Any], name: str, value: Any) -> str:
    declared = {one["name"]: one["type"] for one in metadata(definition).get("parameters", [])}
    if declared.get(name) == "json":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def typed_parameters(definition: Mapping[str, Any], given: Mapping[str, str], started: datetime) -> dict[str, Any]:
    """What a run was started with, and the defaults of the rest, under the author's names and of the declared types."""
    own = metadata(definition)
    declared = {names.parameter(one["name"]): one for one in own.get("parameters", [])}
    found: dict[str, Any] = {}
    for one in definition.get("Parameters", ()):
        name = one["Name"]
        if own and name not in declared:
            continue  # one of cloudml's own
        value = _READ[one["Type"]](given[name]) if name in given else one.get("DefaultValue")
        about = declared.get(name, {"name": name, "type": "str", "default": None})
        if about["type"] == "json" and isinstance(value, str):
            value = json.loads(value)
        if value == RUN_TIME and isinstance(about["default"], dict):
            value = _formatted(started, about["default"].get("format"))
        found[about["name"]] = value
    return found


def _formatted(moment: datetime, form: str | None) -> str:
    when = moment.astimezone(UTC)
    return when.strftime(form) if form else when.isoformat()
