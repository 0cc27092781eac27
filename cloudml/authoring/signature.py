"""From a function's signature to typed ports."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.authoring.annotations import Annotation, Unresolved, resolve
from cloudml.authoring.location import Location, of_code
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml.spec import FunctionRef, Port

_STEP_FORM = (
    "write a function at the top of a module, for example `def features(activity: pl.DataFrame) -> pl.DataFrame:`"
)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def plain_function(fn: Any, use: str, where: Location | None = None) -> Callable[..., Any]:
    """The function itself. Refuses what a step's process could not import by name."""
    fn = getattr(fn, "fn", fn)
    if not inspect.isfunction(fn):
        raise refusal("CML101", f"{use} takes a function, not {type(fn).__name__}", _STEP_FORM, where)
    spot = where or of_code(fn.__code__)
    name = fn.__qualname__
    if fn.__name__ == "<lambda>":
        raise refusal("CML101", f"a lambda has no name by which {use} could import it", _STEP_FORM, spot)
    if "<locals>" in name:
        inside = name.partition(".<locals>")[0]
        message = f"{fn.__name__} is defined inside {inside}, where the step's process cannot import it"
        raise refusal("CML101", message, "move it to the top of the module and pass what it needs as parameters", spot)
    if "." in name:
        message = f"{name} is a method; the step's process has no object to call it on"
        raise refusal("CML101", message, "move it out of the class and pass what it needs as parameters", spot)
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise refusal(
            "CML101", f"{name} is a coroutine or generator", "write a plain function that returns its result", spot
        )
    return fn


def function_ref(fn: Any, use: str, where: Location | None = None) -> FunctionRef:
    """`module:function` of a function, a decorated function, or such a string."""
    from cloudml.authoring.refusal import make
    from cloudml.spec import FunctionRef

    if isinstance(fn, str):
        module, _, name = fn.partition(":")
        if not name:
            raise refusal("CML101", f"{use}: {fn!r} names no function", "write 'package.module:function'", where)
        return make(FunctionRef, where, use, module=module, name=name)
    function = plain_function(fn, use, where)
    return FunctionRef(module=module_of(function), name=function.__qualname__)


def module_of(function: Callable[..., Any]) -> str:
    """The module to import the function from; a script's own name when it is run as `__main__`."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return Path(getattr(main, "__file__", None) or "__main__").stem


def refuse_shape(fn: Callable[..., Any], where: Location) -> None:
    """What can be seen before annotations are resolved: variadic and unannotated parameters."""
    signature = inspect.signature(fn)
    for parameter in signature.parameters.values():
        if parameter.kind in _VARIADIC:
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            message = f"{fn.__name__} takes {stars}{parameter.name}; every input of a step has a name and a type"
            raise refusal("CML102", message, "name each parameter, for example `depth: int = 6`", where)
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            message = (
                f"parameter {parameter.name!r} of {fn.__name__} is positional-only; inputs of a step are given by name"
            )
            raise refusal("CML102", message, "remove the `/` from the signature", where)
        if parameter.annotation is inspect.Parameter.empty:
            message = f"parameter {parameter.name!r} of {fn.__name__} has no type"
            raise refusal(
                "CML102",
                message,
                f"annotate it, for example `{parameter.name}: pl.DataFrame` or `{parameter.name}: float`",
                where,
            )
    if signature.return_annotation is inspect.Signature.empty:
        message = f"{fn.__name__} does not say what it returns"
        raise refusal("CML102", message, "annotate it: `-> pl.DataFrame`, a class of ml.Metrics, or `-> None`", where)


@dataclass(frozen=True)
class Input:
    """A parameter of a step's function that a call may bind."""

    name: str
    type: str
    handle: bool
    required: bool
    default: Any


@dataclass(frozen=True)
class Shape:
    """What a step's function takes and gives."""

    name: str
    inputs: Mapping[str, Input]
    outputs: tuple[Port, ...]
    outs: frozenset[str]
    metrics: type | None


def shape_of(fn: Callable[..., Any], where: Location) -> Shape:
    """Resolve the annotations of a function. Imports nothing that its module has not imported."""
    from cloudml.spec import Port

    inputs: dict[str, Input] = {}
    outputs: list[Port] = []
    signature = inspect.signature(fn)
    for parameter in signature.parameters.values():
        found = _resolved(parameter.annotation, fn, f"parameter {parameter.name!r}", where)
        _refuse_role(found, parameter.name, fn, where)
        if found.role == "out":
            outputs.append(Port(name=parameter.name, type=found.type, mode="handle"))
            continue
        handle = found.role == "in" or is_handle(found)
        required = parameter.default is inspect.Parameter.empty
        inputs[parameter.name] = Input(parameter.name, found.type, handle, required, parameter.default)
    outs = frozenset(port.name for port in outputs)
    returned = _resolved(signature.return_annotation, fn, "the return type", where)
    outputs.extend(_returned_ports(returned, fn, where))
    _refuse_doubles(outputs, fn, where)
    return Shape(fn.__name__, inputs, tuple(outputs), outs, returned.object if _is_metrics(returned) else None)


def _resolved(annotation: Any, fn: Callable[..., Any], what: str, where: Location) -> Annotation:
    try:
        return _canonical(resolve(annotation, fn.__globals__, fn.__module__))
    except (Unresolved, SyntaxError) as error:
        message = f"{what} of {fn.__name__} names {error}, which {fn.__module__} neither defines nor imports"
        raise refusal("CML102", message, "import the type, if need be under `if TYPE_CHECKING:`", where) from None


def _canonical(found: Annotation) -> Annotation:
    from cloudml.spec import types

    return found._replace(type=types.canonical(found.type))


def _refuse_role(found: Annotation, name: str, fn: Callable[..., Any], where: Location) -> None:
    if found.role == "param":
        message = f"parameter {name!r} of {fn.__name__} is an ml.Param, which only a pipeline has"
        raise refusal(
            "CML102", message, f"write `{name}: {found.type}` and pass the pipeline's parameter in the call", where
        )
    if found.role in ("in", "out") and not is_handle(found):
        wrapper = "ml.In" if found.role == "in" else "ml.Out"
        message = f"parameter {name!r} of {fn.__name__} is {wrapper}[{found.type}], which is no handle"
        hint = (
            f"write `{wrapper}[ml.Dataset]` (or Model, Report, File), or take and return the value: `{name}: "
            f"{found.type}`"
        )
        raise refusal("CML102", message, hint, where)


def is_handle(found: Annotation) -> bool:
    """Whether the type is one of the handle classes."""
    if isinstance(found.object, type):
        from cloudml.runtime.handles import Handle

        return issubclass(found.object, Handle)
    return found.type in ("cloudml.Dataset", "cloudml.Model", "cloudml.Report", "cloudml.File")


def _is_metrics(found: Annotation) -> bool:
    from cloudml.runtime.metrics import Metrics

    return isinstance(found.object, type) and issubclass(found.object, Metrics)


def _returned_ports(found: Annotation, fn: Callable[..., Any], where: Location) -> list[Port]:
    if found.type == "None":
        return []
    if _is_metrics(found):
        return [_port("metrics", found)]
    members = _members(found.object)
    if members is None:
        return [_port("output", found)]
    namespace = vars(sys.modules.get(found.object.__module__, sys.modules["builtins"]))
    ports = []
    for name, annotation in members.items():
        try:
            ports.append(_port(name, _canonical(resolve(annotation, namespace, found.object.__module__))))
        except (Unresolved, SyntaxError) as error:
            message = (
                f"field {name!r} of {found.type}, returned by {fn.__name__}, names {error}, which is not defined there"
            )
            raise refusal("CML102", message, "import the type in the module of the class", where) from None
    return ports


def _members(cls: Any) -> dict[str, Any] | None:
    """Field -> annotation of a NamedTuple or dataclass; None for any other class."""
    if not isinstance(cls, type):
        return None
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return {name: cls.__annotations__.get(name, Any) for name in cls._fields}
    if dataclasses.is_dataclass(cls):
        return {field.name: field.type for field in dataclasses.fields(cls)}
    return None


def _port(name: str, found: Annotation) -> Port:
    from cloudml.spec import Port

    if _is_metrics(found):
        return Port(name=name, type=found.type, mode="metrics", fields=metric_names(found.object))
    return Port(name=name, type=found.type, mode="handle" if is_handle(found) else "value")


def metric_names(cls: Any) -> tuple[str, ...]:
    """The metrics of a class, in order."""
    return tuple(cls.__metric_fields__)


def _refuse_doubles(outputs: list[Port], fn: Callable[..., Any], where: Location) -> None:
    seen: dict[str, str] = {}
    for port in outputs:
        for name in {port.name, *port.fields}:
            if name in seen:
                message = f"{fn.__name__} puts out {name!r} twice: as {seen[name]} and as {port.name}"
                raise refusal("CML102", message, "give each output and metric a name of its own", where)
            seen[name] = port.name
