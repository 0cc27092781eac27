"""Binding the arguments of a call to the typed inputs of a step's function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cloudml.authoring.context import Build
from cloudml.authoring.literals import plain, value
from cloudml.authoring.location import Location
from cloudml.authoring.outputs import ItemReference, OutputReference, StepHandle, as_output
from cloudml.authoring.references import Condition, Reference, described
from cloudml.authoring.refusal import did_you_mean, refusal
from cloudml.authoring.signature import Input, Shape

if TYPE_CHECKING:
    from cloudml import spec


def bind(
    shape: Shape,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    build: Build,
    where: Location,
    *,
    elsewhere: Iterable[str] = (),
) -> tuple[tuple[spec.Port, ...], tuple[spec.Argument, ...]]:
    """Ports and arguments of one use. `elsewhere` are inputs that something else fills: a search space."""
    from cloudml.spec import Argument

    given = _named(shape, args, kwargs, where)
    filled = frozenset(elsewhere)
    missing = [
        one.name for one in shape.inputs.values() if one.required and one.name not in given and one.name not in filled
    ]
    if missing:
        message = f"{shape.name} needs {_listed(missing)}, and the call does not say what"
        raise refusal(
            "CML108", message, f"write {shape.name}(..., {', '.join(f'{name}=...' for name in missing)})", where
        )
    arguments, ports = [], []
    for one in shape.inputs.values():
        bound = as_output(given[one.name]) if one.name in given else None
        if one.name in given:
            arguments.append(Argument(name=one.name, value=_value(shape, one, bound, build, where)))
        ports.append(_port(one, bound))
    return tuple(ports), tuple(arguments)


def _named(shape: Shape, args: tuple[Any, ...], kwargs: Mapping[str, Any], where: Location) -> dict[str, Any]:
    """Arguments by name. Outputs of the function are not arguments of the step."""
    names = list(shape.inputs)
    if len(args) > len(names):
        message = f"{shape.name} takes {len(names)} arguments, and the call gives {len(args)}"
        raise refusal("CML107", message, f"its inputs are: {', '.join(names) or 'none'}", where)
    given = dict(zip(names, args, strict=False))
    for name, one in kwargs.items():
        if name in given:
            raise refusal("CML107", f"{shape.name} gets {name!r} twice, by position and by name", "give it once", where)
        if name in shape.outs:
            message = f"{name!r} is an output of {shape.name}; the backend makes its place"
            raise refusal("CML107", message, f"leave it out, and use what the call returns: step.{name}", where)
        if name not in shape.inputs:
            raise refusal("CML107", f"{shape.name} has no parameter {name!r}", did_you_mean(name, names), where)
        given[name] = one
    return given


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(repr(name) for name in names[:-1]), repr(names[-1])]))


def _port(one: Input, bound: Any) -> spec.Port:
    from cloudml.spec import Port

    from_step = isinstance(bound, (OutputReference, StepHandle))
    handle = one.handle or (one.type == "pathlib.Path" and from_step)
    return Port(name=one.name, type=one.type, mode="handle" if handle else "value", optional=not one.required)


def _value(shape: Shape, one: Input, given: Any, build: Build, where: Location) -> spec.Value:
    use = f"{shape.name}({one.name}=)"
    if isinstance(given, Condition):
        message = f"{use} takes a value, and this is a condition"
        raise refusal("CML125", message, "decide with `with ml.when(condition):`", where)
    if isinstance(given, Reference):
        node = given.node(build)
        check_type(given, one.type, use, where)
        return node
    _check_literal(one, given, use, where)
    return value(given, build, use)


def check_type(given: Reference, wanted: str, use: str, where: Location | None = None) -> None:
    """Refuse a producer whose type the consumer cannot take."""
    from cloudml.spec import types

    produced = given._type
    if types.accepts(produced, wanted):
        return
    message = f"{use} takes {wanted}, and {given._label} is {produced}"
    raise refusal("CML109", message, _type_hint(given, produced, wanted), where)


def _type_hint(given: Reference, produced: str, wanted: str) -> str:
    from cloudml.spec import types

    if isinstance(given, OutputReference) and given._port.mode == "metrics" and given._field is None:
        return f"pass one of its metrics: {', '.join(f'{given._step}.{name}' for name in given._port.fields)}"
    if isinstance(given, OutputReference) and given._collected and types.accepts(types.element(produced), wanted):
        return f"it is the list over all items: annotate the parameter as list[{wanted}]"
    if isinstance(given, ItemReference):
        return "annotate the parameter with the type of the map's items"
    if wanted in types.PATHS and produced == "str":
        return "declare the pipeline's parameter as ml.Param[Path]"
    return f"return {wanted} from the step that makes it, or annotate the parameter as {produced}"


def _check_literal(one: Input, given: Any, use: str, where: Location) -> None:
    from cloudml.spec import types

    if not types.takes_literals(one.type):
        message = f"{use} takes {one.type}, and {described(given)} is written in the pipeline itself"
        raise refusal("CML110", message, "make it in a step and pass that step's output", where)
    if isinstance(given, float) and not math.isfinite(given):
        raise refusal(
            "CML110",
            f"{use}: {given!r} is not a finite number, and JSON has no other",
            "choose a number, or leave it out",
            where,
        )
    if not types.fits(plain(given, use), one.type):
        message = f"{use} takes {one.type}, and the call gives {described(given)}"
        raise refusal("CML110", message, _literal_hint(given, one.type), where)


def _literal_hint(given: Any, wanted: str) -> str:
    if isinstance(given, str) and wanted in ("int", "float", "bool"):
        return f"write it without quotes: {given}" if given else f"write a value of type {wanted}"
    if isinstance(given, float) and wanted == "int":
        return f"write a whole number, or annotate the parameter as float (here: {int(given)})"
    if isinstance(given, bool):
        return f"True and False are no {wanted}"
    return f"write a value of type {wanted}"
