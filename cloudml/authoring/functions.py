"""@processing, @training, @evaluation: plain functions that become steps while a pipeline is built."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, Unpack, overload

from cloudml.authoring.binding import bind
from cloudml.authoring.context import Build, active
from cloudml.authoring.location import Location, caller, of_code
from cloudml.authoring.options import ALLOWED, USE, JobOptions, TrainingOptions, UseOptions, job_fields, refuse_unknown
from cloudml.authoring.outputs import StepHandle
from cloudml.authoring.refusal import make, refusal
from cloudml.authoring.signature import Shape, function_ref, plain_function, refuse_shape, shape_of

if TYPE_CHECKING:
    from cloudml import spec

P = ParamSpec("P")
R = TypeVar("R")
Kind = Literal["processing", "training", "evaluation"]


class StepFunction(Generic[P, R]):
    """A function of the project with what it needs to run. `fn` is the plain function.

    Called while a pipeline is built it adds a step and returns that step's handle; called anywhere else it is the
    plain function.
    """

    def __init__(self, fn: Callable[P, R], kind: Kind, options: dict[str, Any], where: Location) -> None:
        self.fn = fn
        self.kind = kind
        self._options = options
        self._where = where
        functools.update_wrapper(self, fn)

    def __repr__(self) -> str:
        return f"<{self.kind} step {self.fn.__module__}:{self.fn.__qualname__}>"

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        build = active()
        return self.fn(*args, **kwargs) if build is None else self._add(build, args, kwargs)

    def options(self, **changed: Unpack[UseOptions]) -> StepFunction[P, R]:
        """A copy for one use, with other options: `features.options(name="features_2", cpu=8)(rows)`."""
        where = caller()
        refuse_unknown(self.kind, changed, ALLOWED[self.kind] | USE, where)
        kept = {name: value for name, value in self._options.items() if not _replaced(name, changed)}
        return StepFunction(self.fn, self.kind, {**kept, **changed}, where)

    @property
    def name(self) -> str:
        """The step's name unless one use says otherwise: the function's."""
        return str(self._options.get("name") or self.fn.__name__)

    @functools.cached_property
    def shape(self) -> Shape:
        """The typed inputs and outputs. Refuses annotations that cannot be resolved."""
        return shape_of(self.fn, of_code(self.fn.__code__))

    @functools.cached_property
    def job(self) -> dict[str, Any]:
        """The fields that every use of the function shares, as spec nodes."""
        settings = {name: value for name, value in self._options.items() if name not in USE}
        return {"function": function_ref(self.fn, "a step"), **job_fields(settings, self._where)}

    def _add(self, build: Build, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StepHandle:
        from cloudml.spec import ProcessingStep, TrainingStep

        where = caller()
        after = build.after(self.name, self._options.get("after", ()), where)
        ports, arguments = bind(self.shape, args, kwargs, build, where)
        fields = {**self.job, "after": after, "inputs": ports, "outputs": self.shape.outputs, "arguments": arguments}
        node: type[spec.JobStep] = TrainingStep if self.kind == "training" else ProcessingStep
        if self.kind == "evaluation":
            fields["purpose"] = "evaluation"
        return add_step(build, node, self.name, where, self.shape.outputs, rename(self.name), **fields)


def _replaced(name: str, changed: Any) -> bool:
    times = ("timeout", "max_time")
    return name in changed or (name in times and any(one in changed for one in times))


def rename(name: str) -> str:
    """The hint of a name that is taken, for a decorated function."""
    return f"name one of them: {name}.options(name='{name}_2')(...)"


def add_step(
    build: Build,
    node: type[spec.BaseStep],
    name: str,
    where: Location,
    ports: tuple[spec.Port, ...],
    remedy: str,
    /,
    **fields: Any,
) -> StepHandle:
    """Make a leaf step, add it to the open block, and return its handle."""
    made = make(node, where, f"step {name!r}", name=name, **fields)
    build.claim(name, where, remedy)
    build.ports[name] = ports
    build.kinds[name] = str(getattr(made, "kind", ""))
    build.add(made)
    return StepHandle(build, name, ports)


def _decorate(fn: Any, kind: Kind, options: dict[str, Any]) -> Any:
    where = caller()
    refuse_unknown(kind, options, ALLOWED[kind], where)
    if fn is None:
        return lambda function: _wrap(function, kind, options, where)
    return _wrap(fn, kind, options, where)


def _wrap(fn: Any, kind: Kind, options: dict[str, Any], where: Location) -> StepFunction[Any, Any]:
    if isinstance(fn, StepFunction):
        message = f"{fn.fn.__name__} is already a {fn.kind} step"
        raise refusal("CML101", message, "keep one of the decorators", where)
    if isinstance(fn, (staticmethod, classmethod)) or not inspect.isfunction(fn):
        message = f"@ml.{kind} decorates a function, not {type(fn).__name__}"
        raise refusal("CML101", message, f"write `@ml.{kind}` or `@ml.{kind}(cpu=4)` above a function", where)
    spot = of_code(fn.__code__)
    plain_function(fn, "a step", spot)
    refuse_shape(fn, spot)
    return StepFunction(fn, kind, options, spot)


@overload
def processing(fn: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def processing(**options: Unpack[JobOptions]) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def processing(fn: Any = None, /, **options: Any) -> Any:
    """Any work on data: extract, validate, transform, split. `@ml.processing` or `@ml.processing(cpu=4)`."""
    return _decorate(fn, "processing", options)


@overload
def evaluation(fn: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def evaluation(**options: Unpack[JobOptions]) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def evaluation(fn: Any = None, /, **options: Any) -> Any:
    """Judges a model. It runs as a processing step does and is shown as an evaluation."""
    return _decorate(fn, "evaluation", options)


@overload
def training(fn: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def training(**options: Unpack[TrainingOptions]) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def training(fn: Any = None, /, **options: Any) -> Any:
    """Fits a model; the kind of step that `ml.tune` can run many times."""
    return _decorate(fn, "training", options)
