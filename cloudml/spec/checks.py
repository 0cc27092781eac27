"""What is wrong with one node by itself, in words; shared by authoring, which knows the line, and validation."""

from __future__ import annotations

import math
from string import Formatter
from typing import Any

from cloudml.spec import types
from cloudml.spec.compute import ErrorClass
from cloudml.spec.cron import cron_problem, timezone_problem
from cloudml.spec.schedule import Cron, Schedule
from cloudml.spec.steps import Dimension
from cloudml.spec.values import Parameter, RunRef

ERROR_CLASSES: tuple[str, ...] = ErrorClass.__args__  # type: ignore[attr-defined]


def parameter_problem(parameter: Parameter) -> str | None:
    """A default, choices or limits that contradict the type or one another."""
    name, kind = parameter.name, types.PARAMETER_TYPES[parameter.type]
    limits = (parameter.minimum, parameter.maximum)
    if parameter.type not in ("int", "float") and any(limit is not None for limit in limits):
        return f"parameter {name!r} is of type {parameter.type}, which has no minimum or maximum"
    if parameter.minimum is not None and parameter.maximum is not None and parameter.minimum > parameter.maximum:
        return f"parameter {name!r} has minimum {parameter.minimum:g} above maximum {parameter.maximum:g}"
    wrong = next((choice for choice in parameter.choices if not types.fits(choice, kind)), None)
    if wrong is not None:
        return f"parameter {name!r} is of type {parameter.type}, and its choice {wrong!r} is not"
    if parameter.required:
        return None if parameter.default is None else f"parameter {name!r} is required and has a default"
    return parameter_value_problem(parameter, parameter.default)


def parameter_value_problem(parameter: Parameter, value: Any) -> str | None:  # noqa: PLR0911 - one line a rule
    """Why a value may not be given for a parameter; None when it may."""
    if isinstance(value, RunRef):
        return (
            None
            if parameter.type == "str"
            else f"parameter {parameter.name!r} is of type {parameter.type}, and a run's fact is text"
        )
    if value is None and parameter.type != "json":
        return f"parameter {parameter.name!r} has no value, and is not declared as required"
    if not types.fits(value, types.PARAMETER_TYPES[parameter.type]):
        return f"parameter {parameter.name!r} is of type {parameter.type}, and {value!r} is {type(value).__name__}"
    if parameter.choices and value not in parameter.choices:
        return f"parameter {parameter.name!r} is {value!r}, which is none of {', '.join(map(repr, parameter.choices))}"
    if parameter.minimum is not None and value < parameter.minimum:
        return f"parameter {parameter.name!r} is {value!r}, below its minimum {parameter.minimum:g}"
    if parameter.maximum is not None and value > parameter.maximum:
        return f"parameter {parameter.name!r} is {value!r}, above its maximum {parameter.maximum:g}"
    return None


def schedule_problem(schedule: Schedule) -> str | None:
    """Cron fields or a time zone that do not exist."""
    if isinstance(schedule, Cron):
        return cron_problem(schedule.expression) or timezone_problem(schedule.timezone)
    return None


def dimension_problem(dimension: Dimension) -> str | None:  # noqa: PLR0911 - one line a rule
    """An axis of a search space that has nothing to draw from."""
    if dimension.type == "choice":
        if dimension.low is not None or dimension.high is not None or dimension.step is not None or dimension.log:
            return f"{dimension.name!r} is a choice, and has a range besides"
        return None if dimension.choices else f"{dimension.name!r} has no choices"
    if dimension.choices:
        return f"{dimension.name!r} is a range, and has choices besides"
    if dimension.low is None or dimension.high is None:
        return f"{dimension.name!r} needs low and high"
    if not (math.isfinite(dimension.low) and math.isfinite(dimension.high)) or dimension.low >= dimension.high:
        return f"{dimension.name!r} has low {dimension.low:g}, which is not below high {dimension.high:g}"
    if dimension.type == "int" and not (dimension.low.is_integer() and dimension.high.is_integer()):
        return f"{dimension.name!r} draws whole numbers, and its bounds are not whole"
    return _scale_problem(dimension, dimension.low)


def _scale_problem(dimension: Dimension, low: float) -> str | None:
    if dimension.log and low <= 0:
        return f"{dimension.name!r} is drawn on a log scale, and low {low:g} is not above zero"
    if dimension.step is not None and dimension.step <= 0:
        return f"{dimension.name!r} has a step of {dimension.step:g}"
    if dimension.log and dimension.step is not None:
        return f"{dimension.name!r} has both a log scale and a step"
    return None


def dimension_type_problem(dimension: Dimension, type_name: str) -> str | None:
    """An axis that draws what the parameter of that type does not take."""
    if dimension.type == "choice":
        wrong = next((choice for choice in dimension.choices if not types.fits(choice, type_name)), None)
        return None if wrong is None else f"{dimension.name!r} is {type_name}, and the choice {wrong!r} is not"
    if types.accepts(dimension.type, type_name):
        return None
    return f"{dimension.name!r} is {type_name}, and the axis draws {dimension.type}"


def is_finite(dimension: Dimension) -> bool:
    """Whether a grid over the axis ends."""
    return dimension.type != "float" or dimension.step is not None


def placeholders(message: str) -> tuple[list[str], str | None]:
    """The names in a message's braces, and what is wrong with it if anything is."""
    try:
        names = [name for _, name, _, _ in Formatter().parse(message) if name is not None]
    except ValueError as error:
        return [], f"the message {message!r} cannot be filled in: {error}"
    strange = next((name for name in names if not name.isidentifier()), None)
    if strange is not None:
        return [], f"the message {message!r} has {{{strange}}}, which is no name"
    return list(dict.fromkeys(names)), None


def message_problem(message: str, given: list[str]) -> str | None:
    """Names in the message without an argument, or arguments that the message does not use."""
    names, problem = placeholders(message)
    if problem:
        return problem
    missing = [name for name in names if name not in given]
    if missing:
        return f"the message has {{{missing[0]}}}, and nothing of that name is given"
    spare = [name for name in given if name not in names]
    return f"{spare[0]!r} is given, and the message has no {{{spare[0]}}}" if spare else None


def retry_name_problem(name: str) -> str | None:
    """A name in `on` that is neither an error class nor the name of an exception."""
    if name in ERROR_CLASSES:
        return None
    parts = name.split(".")
    if all(part.isidentifier() for part in parts) and parts[-1][:1].isupper():
        return None
    return f"{name!r} is neither an error class ({', '.join(ERROR_CLASSES)}) nor the name of an exception"
