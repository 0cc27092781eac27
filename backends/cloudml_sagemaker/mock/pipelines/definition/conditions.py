"""Conditions of Condition steps: their form, and whether they hold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cloudml_sagemaker.mock.pipelines.definition.expressions import is_expression
from cloudml_sagemaker.mock.pipelines.definition.model import Document
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown
from cloudml_sagemaker.mock.pipelines.definition.values import Unresolved

if TYPE_CHECKING:
    from cloudml_sagemaker.mock.pipelines.definition.values import Resolver

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}

_MEMBERS: dict[str, frozenset[str]] = {
    **dict.fromkeys(COMPARISONS, frozenset({"LeftValue", "RightValue"})),
    "In": frozenset({"QueryValue", "Values"}),
    "Not": frozenset({"Condition"}),
    "Or": frozenset({"Conditions"}),
}
"""Condition types and their members (SDK, `sagemaker.core.workflow.conditions`)."""


def check(raw: Any, where: str, problems: Problems) -> None:
    """The form of a list of conditions."""
    if not isinstance(raw, list):
        problems.add(where, "must be a list of conditions")
        return
    for position, condition in enumerate(raw):
        _check(condition, f"{where}[{position}]", problems)


def _check(raw: Any, where: str, problems: Problems) -> None:
    type_ = raw.get("Type") if isinstance(raw, dict) else None
    if not isinstance(type_, str) or type_ not in _MEMBERS:
        problems.add(where, f"condition Type {shown(type_)!r} must be one of {', '.join(_MEMBERS)}")
        return
    if set(raw) - {"Type"} != _MEMBERS[type_]:
        problems.add(where, f"a condition of Type {type_} takes {', '.join(sorted(_MEMBERS[type_]))}")
    elif type_ == "Not":
        _check(raw["Condition"], f"{where}.Condition", problems)
    elif type_ == "Or":
        check(raw["Conditions"], f"{where}.Conditions", problems)
        if raw["Conditions"] == []:
            problems.add(where, "a condition of Type Or takes at least one condition")
    elif type_ == "In":
        _operand(raw["QueryValue"], f"{where}.QueryValue", problems)
        if not isinstance(raw["Values"], list) or not raw["Values"]:
            problems.add(where, "Values must be a list of at least one value")
            return
        for position, value in enumerate(raw["Values"]):
            _operand(value, f"{where}.Values[{position}]", problems)
    else:
        for side in ("LeftValue", "RightValue"):
            _operand(raw[side], f"{where}.{side}", problems)


def _operand(value: Any, where: str, problems: Problems) -> None:
    if not isinstance(value, str | int | float) and not is_expression(value):
        problems.add(where, f"{shown(value)!r} is neither a scalar nor an expression")


def holds(conditions: Sequence[Document], resolver: Resolver) -> bool:
    """Whether all conditions of a list hold. Raises Unresolved when a value is not there or types do not fit."""
    return all(_holds(condition, resolver) for condition in conditions)


def _holds(condition: Document, resolver: Resolver) -> bool:
    type_ = condition["Type"]
    if type_ == "Not":
        return not _holds(condition["Condition"], resolver)
    if type_ == "Or":
        return any(_holds(each, resolver) for each in condition["Conditions"])
    if type_ == "In":
        value = _scalar(condition["QueryValue"], resolver)
        return any(_compare("Equals", value, _scalar(each, resolver)) for each in condition["Values"])
    left, right = (_scalar(condition[side], resolver) for side in ("LeftValue", "RightValue"))
    return _compare(type_, left, right)


def _compare(type_: str, left: Any, right: Any) -> bool:
    kinds = _kind(left), _kind(right)
    if kinds[0] != kinds[1] or (type_ != "Equals" and kinds[0] == "Boolean"):
        raise Unresolved(
            f"Condition of type {type_} is not supported between {shown(left)!r} of type {kinds[0]} "
            f"and {shown(right)!r} of type {kinds[1]}"
        )
    return bool(COMPARISONS[type_](left, right))


def _kind(value: Any) -> str:
    # 6 and 6.0 are one number: JSON files write either.
    if isinstance(value, bool):
        return "Boolean"
    return "String" if isinstance(value, str) else "Number"


def _scalar(value: Any, resolver: Resolver) -> str | int | float | bool:
    resolved = resolver.resolve(value)
    if not isinstance(resolved, str | int | float):
        raise Unresolved(f"a condition compares plain values, not {shown(resolved)!r}")
    return resolved
