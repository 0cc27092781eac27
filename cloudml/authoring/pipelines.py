"""@pipeline: a function whose build is the spec."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, Unpack, overload

from cloudml.authoring.annotations import Unresolved, resolve
from cloudml.authoring.context import Build, building, finish
from cloudml.authoring.deferred import Deferred, duration, node_of
from cloudml.authoring.location import Location, caller, of_code, of_traceback
from cloudml.authoring.options import native as native_nodes
from cloudml.authoring.options import tags as tag_nodes
from cloudml.authoring.parameters import REQUIRED, TYPES, Declared, declare
from cloudml.authoring.references import Simple
from cloudml.authoring.refusal import did_you_mean, make, refusal

if TYPE_CHECKING:
    from cloudml import spec

_TYPE_OF = {kind: name for name, kind in TYPES.items() if kind != "json"} | {"json": "Any"}


class PipelineFunction:
    """A pipeline as its author wrote it. `build()` gives the spec; nothing runs."""

    def __init__(self, fn: Callable[..., Any], settings: dict[str, Any], where: Location) -> None:
        self.fn = fn
        self._settings = settings
        self._where = where
        functools.update_wrapper(self, fn)

    @property
    def name(self) -> str:
        """The pipeline's name: the one given, else the function's."""
        return str(self._settings.get("name") or self.fn.__name__)

    @property
    def schedule(self) -> Any:
        """When it runs, as it was given."""
        return self._settings["schedule"]

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r}>"

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        message = f"pipeline {self.name!r} is not run by calling it"
        raise refusal("CML115", message, f"write {self.fn.__name__}.build() for its spec; `cloudml run` runs it")

    def build(self) -> spec.Pipeline:
        """The spec. Pure and repeatable. Raises AuthoringError with the line of what is wrong."""
        return self.build_with_locations()[0]

    def build_with_locations(self) -> tuple[spec.Pipeline, dict[str, str]]:
        """The spec, and for each step's name the `file:line` that made it."""
        from cloudml import spec

        build = Build(self.name)
        parameters = self._parameters()
        with building(build):
            self._run(build, parameters)
            build.check_pending()
        fields = self._fields(build)
        pipeline = make(spec.Pipeline, self._where, f"pipeline {self.name!r}", **fields, parameters=parameters)
        self._refuse_cycle(pipeline, build)
        return pipeline, {name: str(where) for name, where in build.names.items()}

    def _parameters(self) -> tuple[spec.Parameter, ...]:
        return tuple(self._parameter(one) for one in inspect.signature(self.fn).parameters.values())

    def _parameter(self, parameter: inspect.Parameter) -> spec.Parameter:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise refusal(
                "CML116", f"pipeline {self.name!r} takes {parameter}", "declare each parameter by name", self._where
            )
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        try:
            found = resolve(parameter.annotation, self.fn.__globals__, self.fn.__module__)
        except (Unresolved, SyntaxError) as error:
            message = (
                f"the type of parameter {name!r} names {error}, which {self.fn.__module__} neither defines nor imports"
            )
            raise refusal("CML116", message, "write for example ml.Param[float]", self._where) from None
        kind = TYPES.get(found.type.partition("[")[0])
        if parameter.annotation is parameter.empty or found.role != "param" or kind is None:
            shown = "" if default is REQUIRED or isinstance(default, Declared) else f" = {default!r}"
            guess = type(default).__name__ if isinstance(default, (bool, int, float, str)) else "float"
            message = f"{name!r} is not declared as a parameter of pipeline {self.name!r}"
            if kind is None and found.role == "param":
                message = f"parameter {name!r} of pipeline {self.name!r} cannot be of type {found.type}"
            hint = f"write `{name}: ml.Param[{guess}]{shown}`; the types are bool, int, float, str, Path, dict, list"
            raise refusal("CML116", message, hint, self._where)
        return declare(name, kind, default, self._where)

    def _run(self, build: Build, parameters: Sequence[spec.Parameter]) -> None:
        """Run the author's function on references; a misspelt name in it becomes a refusal that says what there is."""
        references = {
            one.name: Simple("ParameterRef", f"parameter {one.name!r}", _TYPE_OF[one.type], build, name=one.name)
            for one in parameters
        }
        try:
            self.fn(**references)
        except NameError as error:
            where = of_traceback(error.__traceback__)
            if error.name is None or where.file != self.fn.__code__.co_filename:
                raise
            known = [*references, *(name for name in self.fn.__globals__ if not name.startswith("__"))]
            message = f"{error.name!r} is not defined; pipeline {self.name!r} declares {_listed(references)}"
            hint = f"declare it: `{error.name}: ml.Param[float] = ...` among the function's parameters"
            near = did_you_mean(error.name, known)
            raise refusal("CML116", message, near if near.startswith("did you") else hint, where) from error
        except AttributeError as error:
            metrics = getattr(error.obj, "__metric_fields__", None)
            if metrics is None or not isinstance(error.obj, type) or error.name is None:
                raise
            message = f"{error.obj.__name__} has no metric {error.name!r}"
            raise refusal(
                "CML119", message, did_you_mean(error.name, metrics), of_traceback(error.__traceback__)
            ) from error

    def _fields(self, build: Build) -> dict[str, Any]:
        settings = self._settings
        for alert in settings["alerts"]:
            build.declare("alerts", node_of(alert), self._where)
        schedule = node_of(settings["schedule"])
        timeout = settings["timeout"]
        return {
            "name": self.name,
            "description": settings["description"] or inspect.getdoc(self.fn) or "",
            "steps": finish(build.root),
            "endpoints": tuple(build.endpoints.values()),
            "monitors": tuple(build.monitors.values()),
            "alerts": tuple(build.alerts.values()),
            "schedule": schedule,
            "max_parallel": settings["max_parallel"],
            "timeout": None if timeout is None else duration(timeout, "timeout", self._where),
            "tags": tag_nodes(settings["tags"], self._where),
            "native": native_nodes(settings["native"], self._where),
        }

    def _refuse_cycle(self, pipeline: spec.Pipeline, build: Build) -> None:
        from cloudml.spec.edges import find_cycle

        cycle = find_cycle(pipeline) if any(build.pending) else None
        if cycle:
            message = f"these steps wait for one another: {' -> '.join((*cycle, cycle[0]))}"
            raise refusal("CML112", message, "remove one of the `after=` that close the circle", build.names[cycle[0]])


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "no parameters"


class PipelineOptions(TypedDict, total=False):
    """What may be said of a pipeline."""

    name: str
    schedule: Deferred | spec.Cron | spec.Every | None
    max_parallel: int | None
    """The number of steps at once."""
    timeout: float | str | None
    """For the whole run: seconds, or text such as "6h"."""
    description: str
    tags: Mapping[str, str]
    alerts: Sequence[Any]
    """The channels that monitors name."""
    native: Mapping[str, Mapping[str, Any]]


@overload
def pipeline(fn: Callable[..., Any], /) -> PipelineFunction: ...
@overload
def pipeline(**options: Unpack[PipelineOptions]) -> Callable[[Callable[..., Any]], PipelineFunction]: ...
def pipeline(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    schedule: Deferred | spec.Cron | spec.Every | None = None,
    max_parallel: int | None = None,
    timeout: float | str | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    alerts: Sequence[Any] = (),
    native: Mapping[str, Mapping[str, Any]] | None = None,
) -> Any:
    """Make a pipeline of a function that calls steps: `@ml.pipeline`, `@ml.pipeline(schedule=ml.cron("0 2 * * *"))`.

    `timeout` is for the whole run, `max_parallel` the number of steps at once, `alerts` the channels of monitors.
    """
    settings = {
        "name": name,
        "schedule": schedule,
        "max_parallel": max_parallel,
        "timeout": timeout,
        "description": description,
        "tags": dict(tags or {}),
        "alerts": tuple(alerts),
        "native": dict(native or {}),
    }
    if fn is None:
        return lambda function: _pipeline(function, settings)
    return _pipeline(fn, settings)


def _pipeline(fn: Any, settings: dict[str, Any]) -> PipelineFunction:
    if not inspect.isfunction(fn):
        message = f"@ml.pipeline decorates a function, not {type(fn).__name__}"
        raise refusal("CML101", message, "write `@ml.pipeline` above a plain function that calls steps", caller())
    return PipelineFunction(fn, settings, of_code(fn.__code__))
