"""What a pipeline declares beside its steps: parameters, endpoints, monitors, alerts, schedules; and who uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from cloudml.errors import Diagnostic
from cloudml.spec import (
    BatchPredictionStep,
    DeployStep,
    Guard,
    ModelRef,
    MonitorStep,
    NativeOption,
    NotifyStep,
    OutputRef,
    ParameterRef,
    RegisterStep,
    Threshold,
    VerifyStep,
    arguments,
    parameter_problem,
    references,
    schedule_problem,
    types,
)
from cloudml.validation.index import Index, Placed, suggest


def check_parameters(index: Index) -> Iterator[Diagnostic]:
    """Defaults, choices and limits agree; each parameter is used."""
    used = {
        leaf.name
        for placed in index.placed
        for _, value in arguments(placed.step)
        for leaf in references(value)
        if isinstance(leaf, ParameterRef)
    }
    for parameter in index.pipeline.parameters:
        problem = parameter_problem(parameter)
        if problem:
            hint = "give a default that type, choices and limits allow"
            yield Diagnostic("CML224", f"parameter {parameter.name}", problem, hint)
        if parameter.name not in used:
            message = "no step uses it"
            yield Diagnostic("CML250", f"parameter {parameter.name}", message, "use it, or remove it", "warning")


def check_names_used(index: Index) -> Iterator[Diagnostic]:
    """Endpoints, monitors and alerts that steps name are declared; what is declared is named."""
    used: dict[str, set[str]] = {"endpoint": set(), "monitor": set(), "alert": set()}
    tables = {
        "endpoint": {one.name for one in index.pipeline.endpoints},
        "monitor": {one.name for one in index.pipeline.monitors},
        "alert": {one.name for one in index.pipeline.alerts},
    }
    for placed in index.placed:
        for noun, name in _named(placed):
            used[noun].add(name)
            if name not in tables[noun]:
                message = f"{noun} {name!r} is not declared by the pipeline"
                yield index.finding("CML215", placed.step.name, message, suggest(name, tables[noun]))
    for monitor in index.pipeline.monitors:
        for name in monitor.alerts:
            used["alert"].add(name)
            if name not in tables["alert"]:
                message = f"alert {name!r} is not declared by the pipeline"
                yield Diagnostic("CML215", f"monitor {monitor.name}", message, "declare it: @ml.pipeline(alerts=[...])")
    for noun in ("endpoint", "monitor"):
        for name in sorted(tables[noun] - used[noun]):
            yield Diagnostic("CML254", f"{noun} {name}", "no step uses it", "use it, or remove it", "warning")


def _named(placed: Placed) -> list[tuple[str, str]]:
    step = placed.step
    if isinstance(step, DeployStep):
        return [("endpoint", step.endpoint)]
    if isinstance(step, MonitorStep):
        return [("monitor", step.monitor)]
    return [("alert", name) for name in step.alerts] if isinstance(step, NotifyStep) else []


def check_sources(index: Index) -> Iterator[Diagnostic]:
    """Verbs build on what they can: a deploy on a version, a verify on a deployment, a register on a model."""
    for placed in index.placed:
        for kind, field, fits, right in _SOURCES:
            value = getattr(placed.step, field, None) if isinstance(placed.step, kind) else None
            if value is None:
                continue
            given = index.type_of(value, placed.scope)
            literal = not isinstance(value, (OutputRef, ModelRef, ParameterRef)) and given is None
            if literal or (given is not None and not fits(given)):
                message = f"{field} is {given or 'a literal'}"
                yield index.finding("CML221", placed.step.name, message, right, field=field)


def _is(wanted: str) -> Callable[[str], bool]:
    return lambda given: given == wanted


def _predictable(given: str) -> bool:
    return given == "cloudml.ModelVersion" or types.is_model(given)


_SOURCES: tuple[tuple[type, str, Callable[[str], bool], str], ...] = (
    (DeployStep, "version", _is("cloudml.ModelVersion"), "take the version of a register step, or a registered model"),
    (VerifyStep, "endpoint", _is("cloudml.Endpoint"), "take the endpoint of a deploy step"),
    (VerifyStep, "sample", types.is_table, "take a table"),
    (MonitorStep, "endpoint", _is("cloudml.Endpoint"), "take the endpoint of a deploy step"),
    (MonitorStep, "baseline", types.is_table, "take a table"),
    (RegisterStep, "model", types.is_model, "take a model that a training step puts out"),
    (RegisterStep, "sample", types.is_table, "take a table"),
    (BatchPredictionStep, "model", _predictable, "take a model, or a registered version"),
    (BatchPredictionStep, "data", types.is_table, "take a table"),
)


def check_schedules(index: Index) -> Iterator[Diagnostic]:
    """Cron fields and time zones exist."""
    schedules: list[tuple[str, object]] = [("schedule", index.pipeline.schedule)] if index.pipeline.schedule else []
    schedules += [(f"monitor {one.name}", one.schedule) for one in index.pipeline.monitors]
    for where, schedule in schedules:
        problem = schedule_problem(schedule)  # type: ignore[arg-type]
        if problem:
            hint = "five fields: minute, hour, day of month, month, day of week, for example `0 2 * * MON`"
            yield Diagnostic("CML227", where, problem, hint)


def check_rollouts(index: Index) -> Iterator[Diagnostic]:
    """A rollout in steps watches something; guards can be told."""
    for endpoint in index.pipeline.endpoints:
        where = f"endpoint {endpoint.name}"
        rollout = endpoint.rollout
        if len(rollout.steps) > 1 and not rollout.guards:
            message = "traffic moves in steps, and no guard watches them"
            yield Diagnostic("CML251", where, message, "add one: ml.guard('error_rate', above=0.01)", "warning")
        for guard in rollout.guards:
            problem = _guard_problem(guard)
            if problem:
                yield Diagnostic("CML228", where, f"guard {guard.metric!r}: {problem}", "rates are shares from 0 to 1")
        if rollout.routing == "sticky" and not rollout.sticky_header:
            yield Diagnostic("CML228", where, "routing is sticky, and no header says by what", "give sticky_header")


def _guard_problem(guard: Guard) -> str | None:
    if guard.metric == "custom" and not guard.query:
        return "a custom metric needs a query"
    if guard.metric in ("error_rate", "client_error_rate", "disagreement") and guard.relative_to is None:
        return None if 0 <= guard.limit <= 1 else f"limit {guard.limit:g} is no share"
    return (
        None
        if guard.limit >= 0 or guard.metric in ("custom", "score_mean_shift")
        else f"limit {guard.limit:g} is below zero"
    )


def check_thresholds(index: Index) -> Iterator[Diagnostic]:
    """Limits of monitors lie where the statistic can."""
    for monitor in index.pipeline.monitors:
        for threshold in monitor.thresholds:
            problem = _threshold_problem(threshold)
            if problem:
                message = f"threshold {threshold.statistic!r}: {problem}"
                yield Diagnostic(
                    "CML228",
                    f"monitor {monitor.name}",
                    message,
                    "see the reference of thresholds for each statistic's range",
                )


def _threshold_problem(threshold: Threshold) -> str | None:
    if threshold.statistic == "quality":
        return None if threshold.field else "it needs the name of the metric in `field`"
    if threshold.limit < 0:
        return f"limit {threshold.limit:g} is below zero"
    if threshold.statistic in ("js", "ks", "linf", "null_share", "error_rate") and threshold.limit > 1:
        return f"limit {threshold.limit:g} is above 1, which it never reaches"
    return None


def check_native(index: Index) -> Iterator[Diagnostic]:
    """One native fragment a backend."""
    carriers: list[tuple[str, tuple[NativeOption, ...]]] = [("pipeline", index.pipeline.native)]
    carriers += [(f"endpoint {one.name}", one.native) for one in index.pipeline.endpoints]
    carriers += [(f"monitor {one.name}", one.native) for one in index.pipeline.monitors]
    carriers += [(index.where(one.step.name), getattr(one.step, "native", ())) for one in index.placed]
    for where, options in carriers:
        for backend, count in _counted(options).items():
            if count > 1:
                yield Diagnostic(
                    "CML231", where, f"{count} native documents for backend {backend!r}", "merge them into one"
                )


def _counted(options: tuple[NativeOption, ...]) -> Mapping[str, int]:
    return Counter(option.backend for option in options)
