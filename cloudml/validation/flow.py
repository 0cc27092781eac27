"""Names, blocks and order: what may stand where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cloudml.errors import Diagnostic
from cloudml.graph import cycle_diagnostic
from cloudml.spec import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    ConditionStep,
    FailStep,
    FinallyStep,
    LiteralValue,
    MapStep,
    Not,
    NotifyStep,
    message_problem,
    references,
    types,
)
from cloudml.spec.edges import find_cycle
from cloudml.validation.index import Index, Placed

_NOT_IN_FINALLY = (MapStep, ConditionStep)


def check_names(index: Index) -> Iterator[Diagnostic]:
    """Every name means one thing."""
    for name, count in Counter(one.step.name for one in index.placed).items():
        if count > 1:
            yield index.finding(
                "CML210", name, f"{count} steps have the name {name!r}", "give each step a name of its own"
            )
    tables = {
        "parameter": [one.name for one in index.pipeline.parameters],
        "endpoint": [one.name for one in index.pipeline.endpoints],
        "monitor": [one.name for one in index.pipeline.monitors],
        "alert": [one.name for one in index.pipeline.alerts],
        "tag": [one.key for one in index.pipeline.tags],
    }
    for noun, names in tables.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield Diagnostic(
                    "CML210", f"{noun} {name}", f"{count} {noun}s have the name {name!r}", "keep one of them"
                )


def check_cycles(index: Index) -> Iterator[Diagnostic]:
    """No step waits for itself, however indirectly."""
    cycle = find_cycle(index.pipeline)
    if cycle:
        yield cycle_diagnostic(cycle, index.where(cycle[0]))


def check_blocks(index: Index) -> Iterator[Diagnostic]:
    """Finally stands at the top and holds plain steps; a condition has something to run."""
    for placed in index.placed:
        step = placed.step
        if isinstance(step, FinallyStep) and placed.scope.kind != "pipeline":
            yield index.finding(
                "CML220", step.name, "a finally block stands inside another block", "move it to the top of the pipeline"
            )
        if isinstance(step, _NOT_IN_FINALLY) and placed.scope.within("finally") is not None:
            kind = "map" if isinstance(step, MapStep) else "condition"
            yield index.finding(
                "CML220", step.name, f"a {kind} stands in a finally block", "a finally block holds plain steps only"
            )
        if isinstance(step, ConditionStep) and not step.then and not step.otherwise:
            yield _warning(
                index, placed, "CML253", "neither of its branches has a step", "remove it, or put steps inside"
            )


def check_maps(index: Index) -> Iterator[Diagnostic]:
    """A map goes over a list."""
    for placed in index.placed:
        if not isinstance(placed.step, MapStep):
            continue
        items = placed.step.items
        if isinstance(items, LiteralValue):
            if not isinstance(items.value, list):
                yield index.finding(
                    "CML232", placed.step.name, f"it goes over {items.value!r}, which is no list", "write a list"
                )
            continue
        given = index.type_of(items, placed.scope)
        if given is not None and not types.is_list(given):
            yield index.finding(
                "CML232",
                placed.step.name,
                f"it goes over {given}, which is no list",
                "give it an output that is a list",
            )


def check_conditions(index: Index) -> Iterator[Diagnostic]:
    """What is compared can be, and depends on something."""
    for placed in index.placed:
        if not isinstance(placed.step, ConditionStep):
            continue
        for comparison in comparisons(placed.step.condition):
            yield from _sides(index, placed, comparison)
        if not references(placed.step.condition):
            message = "its condition is made of literals only, so it always takes the same branch"
            yield _warning(index, placed, "CML252", message, "compare an output or a parameter")


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """The comparisons in a condition; iterative."""
    stack: list[Condition] = [condition]
    while stack:
        one = stack.pop()
        if isinstance(one, Comparison):
            yield one
        elif isinstance(one, (AllOf, AnyOf)):
            stack.extend(reversed(one.conditions))
        elif isinstance(one, Not):
            stack.append(one.condition)


def _sides(index: Index, placed: Placed, comparison: Comparison) -> Iterator[Diagnostic]:
    left, right = (_kind(index, placed, side) for side in (comparison.left, comparison.right))
    listed = comparison.op == "in"
    for side, kind in (("left", left), ("right", right)):
        if kind is None or types.is_comparable(kind) or (listed and side == "right" and types.is_list(kind)):
            continue
        message = f"the {side} side of {comparison.op!r} is {kind}, which cannot be compared"
        yield index.finding(
            "CML233", placed.step.name, message, "compare numbers, text or truth values, for example a metric"
        )
    if listed and right is not None and not types.is_list(right):
        yield index.finding(
            "CML233", placed.step.name, f"the right side of 'in' is {right}, and not a list", "give it a list"
        )
    elif not listed and {_family(left), _family(right)} == {"number", "text"}:
        message = f"{left} is compared with {right} by {comparison.op!r}"
        yield index.finding("CML233", placed.step.name, message, "compare values of one type")


def _kind(index: Index, placed: Placed, value: object) -> str | None:
    if isinstance(value, LiteralValue):
        return "None" if value.value is None else type(value.value).__name__
    return index.type_of(value, placed.scope)


def _family(kind: str | None) -> str | None:
    return {"int": "number", "float": "number", "str": "text"}.get(kind or "")


def check_messages(index: Index) -> Iterator[Diagnostic]:
    """Names in a message and its arguments are the same."""
    for placed in index.placed:
        if isinstance(placed.step, (NotifyStep, FailStep)):
            problem = message_problem(placed.step.message, [one.name for one in placed.step.arguments])
            if problem:
                hint = "each {name} in the message needs an argument of that name, and the other way round"
                yield index.finding("CML234", placed.step.name, problem, hint, field="message")


def _warning(index: Index, placed: Placed, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, index.where(placed.step.name), message, hint, "warning")
