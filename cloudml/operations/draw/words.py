"""Values, conditions and steps in a few words, for drawings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudml import spec

_SIGNS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "in": "in",
}


def _output(ref: spec.OutputRef) -> str:
    implied = ref.output == "output" or (ref.output == "metrics" and ref.field)
    parts = (ref.step, "" if implied else ref.output, ref.field or "")
    return ".".join(part for part in parts if part) + ("[*]" if ref.collected else "")


def _operand(value: Any) -> str:
    shown = show_value(value)
    return f"({shown})" if isinstance(value, spec.Arithmetic) else shown


_VALUES: dict[type[spec.Node], Callable[[Any], str]] = {
    spec.LiteralValue: lambda value: repr(value.value),
    spec.ParameterRef: lambda ref: str(ref.name),
    spec.OutputRef: _output,
    spec.ItemRef: lambda ref: f"{ref.map}.item" + (f".{ref.field}" if ref.field else ""),
    spec.RunRef: lambda ref: f"run.{ref.field}",
    spec.SecretRef: lambda ref: f"secret({ref.name})",
    spec.ChampionRef: lambda ref: f"{ref.alias}({ref.model}).{ref.metric}",
    spec.ModelRef: lambda ref: f"{ref.model}/{ref.version or ref.alias}",
    spec.Arithmetic: lambda value: f"{_operand(value.left)} {_SIGNS[value.op]} {_operand(value.right)}",
}


def show_value(value: Any) -> str:
    """A value or reference: `extract.customers`, `min_auc`, `champion(churn).auc - 0.002`."""
    shown = _VALUES.get(type(value))
    return shown(value) if shown is not None else repr(value)


def _joined(conditions: tuple[Any, ...], word: str) -> str:
    parts = [(show_condition(part), isinstance(part, (spec.AllOf, spec.AnyOf))) for part in conditions]
    return word.join(f"({text})" if compound and len(parts) > 1 else text for text, compound in parts)


_CONDITIONS: dict[type[spec.Node], Callable[[Any], str]] = {
    spec.Comparison: lambda found: f"{show_value(found.left)} {_SIGNS[found.op]} {show_value(found.right)}",
    spec.Not: lambda found: f"not ({show_condition(found.condition)})",
    spec.AllOf: lambda found: _joined(found.conditions, " and "),
    spec.AnyOf: lambda found: _joined(found.conditions, " or "),
}


def show_condition(condition: Any) -> str:
    """A condition: `evaluate.auc >= min_auc and not (split.rows < 100)`."""
    return _CONDITIONS[type(condition)](condition)


_NOTES: dict[type[spec.BaseStep], Callable[[Any], str]] = {
    spec.ConditionStep: lambda step: show_condition(step.condition),
    spec.TuningStep: lambda step: f"{step.trials} trials, {step.direction} {step.objective}",
    spec.MapStep: lambda step: f"each of {show_value(step.items)}",
    spec.RegisterStep: lambda step: f"model {step.model_name}",
    spec.DeployStep: lambda step: f"endpoint {step.endpoint}" + (f", alias {step.alias}" if step.alias else ""),
    spec.NotifyStep: lambda step: ", ".join(step.alerts),
    spec.FailStep: lambda step: str(step.message),
    spec.ApproveStep: lambda step: str(step.message),
}


def step_note(step: spec.BaseStep) -> str:
    """What is worth saying of a step beside its name and kind."""
    note = _NOTES.get(type(step))
    return note(step) if note is not None else ""


def step_kind(step: spec.BaseStep) -> str:
    """The kind of a step; a processing step that evaluates is told apart."""
    return step.purpose if isinstance(step, spec.ProcessingStep) else str(getattr(step, "kind", ""))


def pipeline_notes(pipeline: spec.Pipeline) -> tuple[str, ...]:
    """Parameters with their defaults, and the schedule."""
    notes = [item.name + f": {item.type}" + _default(item) for item in pipeline.parameters]
    if isinstance(pipeline.schedule, spec.Cron):
        notes.append(f"schedule {pipeline.schedule.expression} {pipeline.schedule.timezone}")
    elif pipeline.schedule is not None:
        notes.append(f"schedule every {pipeline.schedule.interval:g} s")
    return tuple(notes)


def _default(parameter: spec.Parameter) -> str:
    return "" if parameter.required else f" = {show_value(parameter.default)}"
