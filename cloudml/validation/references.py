"""References: to steps, outputs, fields, parameters, items; and whether they are known where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudml.errors import Diagnostic
from cloudml.spec import (
    ApproveStep,
    ConditionStep,
    ItemRef,
    MapStep,
    ModelRef,
    OutputRef,
    ParameterRef,
    SecretRef,
    arguments,
    references,
    types,
)
from cloudml.validation.index import Index, Placed, Scope, suggest


def check_references(index: Index) -> Iterator[Diagnostic]:
    """Every reference of every step."""
    for placed in index.placed:
        for field, value in arguments(placed.step):
            for leaf in references(value):
                check = _LEAVES.get(type(leaf))
                if check is not None:
                    yield from check(index, placed, field, leaf)


def check_after(index: Index) -> Iterator[Diagnostic]:
    """Steps in `after` exist."""
    for placed in index.placed:
        for name in placed.step.after:
            if name not in index.steps:
                message = f"it is to run after {name!r}, and no step has that name"
                yield index.finding("CML211", placed.step.name, message, suggest(name, index.steps), field="after")
            elif not placed.scope.inside(index.steps[name].scope):
                message = f"it is to run after {name!r}, which stands in another block and may not run"
                hint = "name the block itself, or move one of the two"
                yield index.finding("CML217", placed.step.name, message, hint, field="after")


def _output(index: Index, placed: Placed, field: str, leaf: OutputRef) -> Iterator[Diagnostic]:
    step = placed.step.name
    source = index.steps.get(leaf.step)
    if source is None:
        hint = suggest(leaf.step, index.steps)
        yield index.finding(
            "CML211", step, f"it takes an output of {leaf.step!r}, and no step has that name", hint, field=field
        )
        return
    ports = index.ports[leaf.step]
    port = ports.get(leaf.output)
    if port is None:
        message = f"step {leaf.step!r} has no output {leaf.output!r}"
        yield index.finding("CML212", step, message, suggest(leaf.output, ports), field=field)
        return
    if leaf.field is not None and port.mode == "metrics" and leaf.field not in port.fields:
        message = f"output {leaf.output!r} of step {leaf.step!r} has no metric {leaf.field!r}"
        yield index.finding("CML213", step, message, suggest(leaf.field, port.fields), field=field)
    elif leaf.field is not None and port.mode != "metrics" and not types.has_members(port.type):
        message = f"output {leaf.output!r} of step {leaf.step!r} is {port.type}, which has no member {leaf.field!r}"
        yield index.finding(
            "CML213", step, message, "take the whole output, or return the member as an output", field=field
        )
    yield from _scope(index, placed, field, leaf, source.scope)


def _scope(index: Index, placed: Placed, field: str, leaf: OutputRef, home: Scope) -> Iterator[Diagnostic]:
    step, here = placed.step.name, placed.scope
    if leaf.collected:
        if home.solid.kind != "map":
            message = f"{leaf.step!r} does not stand directly in a map, so its outputs cannot be collected"
            yield index.finding(
                "CML235", step, message, "remove `collected`, or move the step into the map", field=field
            )
            return
        if here.within("map") is home.solid:
            message = f"the outputs of {leaf.step!r} are collected inside their own map"
            yield index.finding("CML235", step, message, "collect after the map", field=field)
            return
        home = home.solid.parent or home
    ends = here.within("finally")
    if ends is not None and home.within("finally") is not ends:
        message = (
            f"it takes an output of {leaf.step!r} in a finally block, which also runs when that step has not succeeded"
        )
        yield index.finding(
            "CML217", step, message, "use facts of the run, or outputs of the block itself", field=field
        )
    elif not here.inside(home):
        yield index.finding("CML217", step, *_outside(leaf.step, home.solid), field=field)


def _outside(step: str, home: Scope) -> tuple[str, str]:
    if home.kind == "map":
        message = f"it takes an output of {step!r}, which has one for each item of map {home.owner!r}"
        return message, "collect it (`collected: true`), or move this step into the map"
    if home.kind == "finally":
        return (
            f"it takes an output of {step!r}, which runs after all else has ended",
            "move this step into the finally block",
        )
    return (
        f"it takes an output of {step!r}, which exists only when a branch of {home.owner!r} is taken",
        "move this step into the same branch",
    )


def _parameter(index: Index, placed: Placed, field: str, leaf: ParameterRef) -> Iterator[Diagnostic]:
    if leaf.name not in index.parameters:
        message = f"it takes parameter {leaf.name!r}, which the pipeline does not declare"
        yield index.finding("CML214", placed.step.name, message, suggest(leaf.name, index.parameters), field=field)


def _item(index: Index, placed: Placed, field: str, leaf: ItemRef) -> Iterator[Diagnostic]:
    source = index.steps.get(leaf.map)
    if source is None or not isinstance(source.step, MapStep):
        maps = [name for name, one in index.steps.items() if isinstance(one.step, MapStep)]
        message = f"it takes an item of {leaf.map!r}, which is no map"
        yield index.finding("CML216", placed.step.name, message, suggest(leaf.map, maps), field=field)
    elif not any(scope.kind == "map" and scope.owner == leaf.map for scope in placed.scope.chain()):
        message = f"it takes an item of map {leaf.map!r}, and stands outside of it"
        yield index.finding("CML216", placed.step.name, message, "move the step into the map's body", field=field)


def _secret(index: Index, placed: Placed, field: str, leaf: SecretRef) -> Iterator[Diagnostic]:
    if not hasattr(placed.step, "function") and placed.step.__class__.__name__ != "TuningStep":
        message = f"secret {leaf.name!r} stands where its value would be shown or decided upon"
        yield index.finding(
            "CML230", placed.step.name, message, "secrets are for arguments of functions only", field=field
        )
    elif placed.step.__class__.__name__ == "VerifyStep":
        message = f"secret {leaf.name!r} is given to a verify step"
        yield index.finding(
            "CML230", placed.step.name, message, "secrets are for arguments of functions only", field=field
        )


def _model(index: Index, placed: Placed, field: str, leaf: ModelRef) -> Iterator[Diagnostic]:
    if isinstance(placed.step, (ConditionStep, MapStep)) or (
        isinstance(placed.step, ApproveStep) and field != "subject"
    ):
        message = f"model {leaf.model!r} stands where a plain value is needed"
        yield index.finding(
            "CML219", placed.step.name, message, "compare a metric of it: a champion reference", field=field
        )


_LEAVES: dict[type, Callable[[Index, Placed, str, Any], Iterator[Diagnostic]]] = {
    OutputRef: _output,
    ParameterRef: _parameter,
    ItemRef: _item,
    SecretRef: _secret,
    ModelRef: _model,
}
