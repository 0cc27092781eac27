"""Parameters of a pipeline: their declaration, and the values of one execution."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Parameter, Scalar
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown

NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
"""Steps, parameters and property files (published definition schema; StepName in the service model)."""

MOST = 200
"""Parameters of a pipeline (PipelineParameters in the service model)."""

MOST_CHOICES = 16
"""EnumValues of a parameter (sagemaker-python-sdk issue 2314)."""

LONGEST_DEFAULT = 4096
"""Characters of a String default (published definition schema)."""

_MEMBERS = frozenset({"Name", "Type", "DefaultValue", "EnumValues", "Description"})

_FITS: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str) and len(value) <= LONGEST_DEFAULT,
    "Integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Float": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
    "Boolean": lambda value: isinstance(value, bool),
}


def declared(raw: Any, problems: Problems) -> dict[str, Parameter]:
    """The parameters that a definition's `Parameters` declares; what is wrong goes to `problems`."""
    if raw is None:
        return {}
    if not isinstance(raw, list):
        problems.add("Parameters", "must be a list")
        return {}
    if len(raw) > MOST:
        problems.add("Parameters", f"at most {MOST} are allowed, not {len(raw)}")
    found: dict[str, Parameter] = {}
    for position, item in enumerate(raw):
        parameter = _declaration(item, f"Parameters[{position}]", problems)
        if parameter is None:
            continue
        if parameter.name in found:
            problems.add("Parameters", f"duplicate parameter name {parameter.name!r}")
        found[parameter.name] = parameter
    return found


def _declaration(raw: Any, where: str, problems: Problems) -> Parameter | None:
    if not isinstance(raw, dict):
        problems.add(where, "must be an object")
        return None
    name, type_ = raw.get("Name"), raw.get("Type")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        problems.add(where, f"Name {shown(name)!r} must match {NAME.pattern}")
        return None
    where = f"Parameter {name}"
    if unknown := set(raw) - _MEMBERS:
        problems.add(where, f"unknown members {', '.join(sorted(unknown))}")
    if not isinstance(type_, str) or type_ not in _FITS:
        problems.add(where, f"Type {shown(type_)!r} must be one of {', '.join(_FITS)}")
        # Known, so that references to it are not reported as well.
        return Parameter(name, "String")
    default = raw.get("DefaultValue")
    if default is not None and not _FITS[type_](default):
        problems.add(where, f"DefaultValue {shown(default)!r} is not a valid {type_}")
        default = None
    choices = _choices(raw.get("EnumValues"), type_, where, problems)
    if choices and default is not None and default not in choices:
        problems.add(where, f"DefaultValue {shown(default)!r} is not in EnumValues")
    return Parameter(name, type_, default, choices)


def _choices(raw: Any, type_: str, where: str, problems: Problems) -> tuple[Scalar, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_CHOICES:
        problems.add(where, f"EnumValues must be a list of 1 to {MOST_CHOICES} values")
        return ()
    if wrong := [value for value in raw if not _FITS[type_](value)]:
        problems.add(where, f"EnumValues {shown(wrong)} are not of type {type_}")
        return ()
    return tuple(raw)


def start_parameters(definition: Definition, given: Sequence[dict[str, str]]) -> dict[str, Scalar]:
    """The value of every parameter for an execution that was given `[{"Name", "Value"}]` (strings on the wire).

    Raises ValidationException for undeclared, doubled, missing, ill-typed values and those outside of EnumValues.
    """
    values: dict[str, Scalar] = {}
    wrong: list[str] = []
    for item in given:
        name, text = item["Name"], item["Value"]
        parameter = definition.parameters.get(name)
        if parameter is None:
            wrong.append(f"parameter {name!r} is not declared by the pipeline")
        elif name in values:
            wrong.append(f"parameter {name!r} is given twice")
        else:
            try:
                values[name] = _READ[parameter.type](text)
            except ValueError:
                wrong.append(f"value {shown(text)!r} of parameter {name!r} is not a valid {parameter.type}")
                continue
            if parameter.choices and values[name] not in parameter.choices:
                listed = ", ".join(map(str, parameter.choices))
                wrong.append(f"value {shown(text)!r} of parameter {name!r} is not one of [{listed}]")
    named = {item["Name"] for item in given}
    for name, parameter in definition.parameters.items():
        if name not in named:
            if parameter.default is None:
                wrong.append(f"parameter {name!r} has no default and no value")
            else:
                values[name] = parameter.default
    if wrong:
        raise validation(f"Invalid pipeline parameters: {'; '.join(wrong)}")
    return {name: values[name] for name in definition.parameters}


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    # Not all that Python's float() takes: "1_0", "nan" and " 1 " are no numbers on the wire.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    # The SDK sends str(True), JSON writes true.
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


_READ: dict[str, Callable[[str], Scalar]] = {
    "String": str,
    "Integer": _integer,
    "Float": _float,
    "Boolean": _boolean,
}
