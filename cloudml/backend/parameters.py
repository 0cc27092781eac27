"""Run parameters, the same for every backend: declared types, what was given, and all that is wrong with it at once."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudml.errors import Diagnostic, SpecError


def bind_parameters(declared: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for every declared parameter. Text (from a command line) is read as the declared type.

    Raises SpecError with one CML403 for each parameter that is unknown, missing, of another type or out of range.
    """
    findings: list[Diagnostic] = []
    known = {parameter["name"]: parameter for parameter in declared}
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"the parameters are {', '.join(known) or 'none'}"
            findings.append(Diagnostic("CML403", f"parameter {name}", "the pipeline has no such parameter", hint))
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        try:
            values[name] = _value(parameter, given)
        except ValueError as problem:
            findings.append(Diagnostic("CML403", f"parameter {name}", str(problem), f"give it with -p {name}=…"))
    if findings:
        raise SpecError(findings)
    return values


def _value(parameter: dict[str, Any], given: Mapping[str, Any]) -> Any:
    name = parameter["name"]
    if name not in given:
        if parameter["required"]:
            raise ValueError(f"no value was given; it needs a {parameter['type']}")
        default = parameter["default"]
        if isinstance(default, dict) and default.get("kind") == "run":
            return _run_fact(default)
        return default
    value = _READERS[parameter["type"]](given[name])
    if parameter["choices"] and value not in parameter["choices"]:
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, parameter['choices']))}")
    for bound, wrong in (("minimum", "below"), ("maximum", "above")):
        limit = parameter[bound]
        if limit is not None and (value < limit if bound == "minimum" else value > limit):
            raise ValueError(f"{value!r} is {wrong} the {bound} {limit:g}")
    return value


def _run_fact(reference: dict[str, Any]) -> str:
    if reference["field"] != "time":
        raise ValueError("a default can be the run's time, not its id")
    when = datetime.now(UTC)
    return when.strftime(reference["format"]) if reference.get("format") else when.isoformat()


def _bool(value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(f"{value!r} is not a bool; write true or false")


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{value!r} is not an int")
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{value!r} is not an int") from None


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not a float")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a float") from None
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError(f"{value!r} is not JSON") from None


_READERS: dict[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _str,
    "path": _str,
    "json": _json,
}
