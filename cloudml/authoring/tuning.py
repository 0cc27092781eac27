"""`ml.tune` and the axes of a search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cloudml.authoring.binding import bind
from cloudml.authoring.context import current
from cloudml.authoring.deferred import Deferred, node_of
from cloudml.authoring.functions import StepFunction, add_step, rename
from cloudml.authoring.location import Location, caller
from cloudml.authoring.outputs import StepHandle
from cloudml.authoring.references import Operand
from cloudml.authoring.refusal import did_you_mean, make, refusal
from cloudml.authoring.signature import Shape

if TYPE_CHECKING:
    from cloudml import spec


class Axis:
    """One axis of a search space, before it has a name."""

    __slots__ = ("fields", "where")

    def __init__(self, **fields: Any) -> None:
        self.fields, self.where = fields, caller()

    def __repr__(self) -> str:
        return f"Axis({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"

    def node(self, name: str) -> spec.Dimension:
        """The spec's dimension. Refuses a range that has nothing to draw from."""
        from cloudml import spec

        node = make(spec.Dimension, self.where, f"space[{name!r}]", name=name, **self.fields)
        problem = spec.dimension_problem(node)
        if problem:
            raise refusal("CML120", problem, _AXES, self.where)
        return node


_AXES = "for example ml.log_uniform(1e-3, 0.3), ml.uniform(0, 1), ml.ints(2, 10), ml.choice(['a', 'b'])"


def uniform(low: float, high: float, *, step: float | None = None) -> Axis:
    """Floats between `low` and `high`, both included; with `step`, only `low + k * step`."""
    return Axis(type="float", low=low, high=high, step=step)


def log_uniform(low: float, high: float) -> Axis:
    """Floats whose logarithm is uniform; `low` must be above zero."""
    return Axis(type="float", low=low, high=high, log=True)


def ints(low: int, high: int, *, step: int | None = None, log: bool = False) -> Axis:
    """Whole numbers from `low` to `high`, both included."""
    return Axis(type="int", low=low, high=high, step=step, log=log)


def choice(choices: Sequence[bool | int | float | str]) -> Axis:
    """One of a list."""
    return Axis(type="choice", choices=tuple(choices))


def tune(
    fit: StepFunction[Any, Any],
    /,
    *,
    space: Mapping[str, Axis],
    trials: int,
    maximize: Any = None,
    minimize: Any = None,
    parallel: int = 1,
    strategy: Literal["bayesian", "random", "grid"] = "bayesian",
    seed: int = 0,
    prune: bool | Deferred | spec.Pruning = False,
    max_failed: int = 0,
    name: str | None = None,
    after: Any = (),
    arguments: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> Any:
    """Run a training function once a trial, with values drawn from `space`; the best trial's outputs are the step's.

    `maximize` or `minimize` is a metric: `Fit.valid_auc`. Fixed arguments go by keyword; those whose name is also a
    keyword here (`seed`, `trials`, …) go into `arguments={...}`.

    Further outputs: `best_parameters`, `best_value`, `trials`.
    """
    from cloudml import spec

    build, where = current("ml.tune"), caller()
    _refuse_function(fit, where)
    objective, direction = _objective(fit, maximize, minimize, where)
    given = _merged(fixed, arguments or {}, where)
    dimensions = _space(fit.shape, space, given, strategy, where)
    step = name or fit.name
    waits = build.after(step, [*_listed(after), *_listed(fit._options.get("after", ()))], where)
    ports, bound = bind(fit.shape, (), given, build, where, elsewhere=space)
    inner = {**fit.job, "inputs": ports, "outputs": fit.shape.outputs, "arguments": bound}
    job = make(spec.TrainingStep, where, f"step {step!r}", name=step, **inner)
    _refuse_collision(fit.shape, where)
    return add_step(
        build,
        spec.TuningStep,
        step,
        where,
        (*fit.shape.outputs, *spec.outputs_of_kind("tuning")),
        f"name one of them: ml.tune(..., name='{step}_2'), or {rename(fit.name).removeprefix('name one of them: ')}",
        after=waits,
        job=job,
        objective=objective,
        direction=direction,
        trials=trials,
        parallel=parallel,
        space=dimensions,
        strategy=strategy,
        seed=seed,
        pruning=spec.Pruning() if prune is True else node_of(prune) or None,
        max_failed=max_failed,
    )


def _listed(after: Any) -> list[Any]:
    return list(after) if isinstance(after, (list, tuple, set)) else [after]


def _refuse_function(fit: Any, where: Location) -> None:
    if isinstance(fit, StepFunction) and fit.kind == "training":
        return
    if isinstance(fit, StepFunction):
        raise refusal(
            "CML123",
            f"ml.tune runs training functions, and {fit.name} is a {fit.kind} step",
            "decorate it with @ml.training",
            where,
        )
    if isinstance(fit, StepHandle):
        message = f"ml.tune takes the function itself, and {fit._label} is already one use of it"
        raise refusal("CML123", message, "write ml.tune(fit, train=...), with the arguments by keyword", where)
    raise refusal(
        "CML123", "ml.tune takes a function decorated with @ml.training", "write ml.tune(fit, train=..., ...)", where
    )


def _objective(fit: StepFunction[Any, Any], maximize: Any, minimize: Any, where: Location) -> tuple[str, str]:
    if (maximize is None) == (minimize is None):
        message = "ml.tune needs one objective: maximize= or minimize="
        raise refusal("CML119", message, "for example maximize=Fit.valid_auc", where)
    metric, direction = (maximize, "maximize") if minimize is None else (minimize, "minimize")
    names = [name for port in fit.shape.outputs if port.mode == "metrics" for name in port.fields]
    if not names:
        message = f"{fit.name} returns no metrics, so there is nothing to {direction}"
        raise refusal(
            "CML119", message, "let it return a class of ml.Metrics: `class Fit(ml.Metrics): valid_auc: float`", where
        )
    if isinstance(metric, Operand):
        message = (
            f"{metric._label} is a value of a step that runs once; the objective is a metric of {fit.name}, one a trial"
        )
        raise refusal("CML119", message, f"write {direction}={_metric_form(fit, names[0])}", where)
    found = metric if isinstance(metric, str) else getattr(metric, "name", None)
    if not isinstance(found, str):
        raise refusal("CML119", f"{metric!r} is no metric", f"write {direction}={_metric_form(fit, names[0])}", where)
    _refuse_foreign(fit, metric, found, where)
    if found not in names:
        raise refusal("CML119", f"{fit.name} has no metric {found!r}", did_you_mean(found, names), where)
    return found, direction


def _refuse_foreign(fit: StepFunction[Any, Any], metric: Any, name: str, where: Location) -> None:
    owner = getattr(metric, "owner", None)
    own = fit.shape.metrics
    if owner is not None and own is not None and not issubclass(own, owner):
        message = f"{owner.__name__}.{name} is no metric of {fit.name}, which returns {own.__name__}"
        raise refusal("CML119", message, did_you_mean(name, getattr(own, "__metric_fields__", ())), where)


def _metric_form(fit: StepFunction[Any, Any], name: str) -> str:
    return f"{fit.shape.metrics.__name__}.{name}" if fit.shape.metrics is not None else repr(name)


def _merged(fixed: Mapping[str, Any], named: Mapping[str, Any], where: Location) -> dict[str, Any]:
    double = next((one for one in fixed if one in named), None)
    if double is not None:
        raise refusal("CML107", f"{double!r} is given by keyword and in arguments", "give it once", where)
    return {**fixed, **named}


def _space(
    shape: Shape, space: Mapping[str, Axis], given: Mapping[str, Any], strategy: str, where: Location
) -> tuple[spec.Dimension, ...]:
    from cloudml import spec

    if not space:
        raise refusal("CML120", "the search space is empty", f'write space={{"eta": ...}}; {_AXES}', where)
    found = []
    for name, axis in space.items():
        if not isinstance(axis, Axis):
            raise refusal("CML120", f"space[{name!r}] is {axis!r}", _AXES, where)
        if name not in shape.inputs:
            raise refusal(
                "CML120",
                f"{shape.name} has no parameter {name!r} to search over",
                did_you_mean(name, shape.inputs),
                where,
            )
        if name in given:
            raise refusal("CML120", f"{name!r} is both given and searched over", "remove it from one of the two", where)
        dimension = axis.node(name)
        problem = spec.dimension_type_problem(dimension, shape.inputs[name].type)
        if problem:
            raise refusal("CML120", problem, "choose an axis that draws the type of the parameter", axis.where)
        if strategy == "grid" and not spec.is_finite(dimension):
            message = f"a grid over {name!r} never ends: it is a range of floats"
            raise refusal(
                "CML120", message, "give it a step, ml.uniform(0, 1, step=0.1), or ml.choice([...])", axis.where
            )
        found.append(dimension)
    return tuple(found)


def _refuse_collision(shape: Shape, where: Location) -> None:
    from cloudml.spec import outputs_of_kind

    fixed = {port.name for port in outputs_of_kind("tuning")}
    own = {name for port in shape.outputs for name in (port.name, *port.fields)}
    for name in sorted(fixed & own):
        raise refusal(
            "CML102", f"{shape.name} puts out {name!r}, which is a name of ml.tune's own", "rename the output", where
        )
