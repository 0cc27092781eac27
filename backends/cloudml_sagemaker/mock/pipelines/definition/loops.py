"""ForEach steps: their own arguments and the rules for their bodies (SDK, `sagemaker.mlops.workflow.for_each_step`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cloudml_sagemaker.mock.pipelines.definition.expressions import is_expression
from cloudml_sagemaker.mock.pipelines.definition.kinds import BODILESS
from cloudml_sagemaker.mock.pipelines.definition.model import Loop, Step
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown

MOST_ITEMS = 100
MOST_CONCURRENCY = 50

_MEMBERS = frozenset({"IterableItems", "MaxConcurrency", "Selector", "ForEachBody"})
_PICKS = ("MaxBy", "MinBy")


def read(step: Step, where: str, problems: Problems) -> Loop:
    """The arguments of a ForEach step, its body left out."""
    arguments = step.arguments
    if unknown := set(arguments) - _MEMBERS:
        problems.add(where, f"unknown members {', '.join(sorted(map(shown, unknown)))} in Arguments")
    items, most = arguments.get("IterableItems"), arguments.get("MaxConcurrency")
    if isinstance(items, list):
        if not 1 <= len(items) <= MOST_ITEMS:
            problems.add(where, f"IterableItems must have 1 to {MOST_ITEMS} items, not {len(items)}")
        if wrong := [item for item in items if not isinstance(item, str | int | float) and not is_expression(item)]:
            problems.add(where, f"IterableItems must be scalars or expressions, not {shown(wrong[0])!r}")
    elif not is_expression(items):
        problems.add(where, "IterableItems must be a list or an expression for a JSON list")
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_CONCURRENCY:
        problems.add(where, f"MaxConcurrency {shown(most)!r} must be a whole number from 1 to {MOST_CONCURRENCY}")
        most = 1
    pick, field = _selector(arguments.get("Selector"), where, problems)
    return Loop(items=items, max_concurrency=most, body=(), pick=pick, field=field)


def _selector(raw: Any, where: str, problems: Problems) -> tuple[str | None, Any]:
    if raw is None:
        return None, None
    if not isinstance(raw, dict) or set(raw) != {"Pick", "Field"}:
        problems.add(where, "Selector takes Pick and Field")
        return None, None
    if raw["Pick"] not in _PICKS:
        problems.add(where, f"Selector.Pick {shown(raw['Pick'])!r} must be one of {', '.join(_PICKS)}")
    return str(raw["Pick"]), raw["Field"]


def check_body(body: Sequence[Step], where: str, problems: Problems) -> None:
    """A body holds at least one step, and no Condition, Fail or ForEach."""
    if not body:
        problems.add(where, "ForEachBody must hold at least one step")
    for step in body:
        if step.type in BODILESS:
            problems.add(where, f"step {step.name!r} of type {step.type} may not stand in a ForEachBody")


def check_names(every: dict[str, Step], problems: Problems) -> None:
    """No step may be named like a child (`<body step>-<number>`), which the service makes for each item."""
    for name in every:
        stem, found = name.rpartition("-")[0], re.fullmatch(r".*-[0-9]+", name)
        if found and stem in every and every[stem].body_of is not None:
            problems.add(f"Step {name}", f"the name is that of an iteration of the ForEach body step {stem!r}")
