"""Conditions: native where SageMaker can see both sides, else decided by a job by the neutral rules.

Native types and members: AWS's SDK, `sagemaker.core.workflow.conditions`. Both sides must be of one type there.
"""

from __future__ import annotations

import math
from typing import Any

from cloudml import spec
from cloudml.spec import types
from cloudml_sagemaker import names
from cloudml_sagemaker.compile.context import Context, Document, main_name, trains
from cloudml_sagemaker.compile.expressions import get, result_value
from cloudml_sagemaker.compile.wiring import Wiring

_TYPES = {
    "lt": "LessThan",
    "le": "LessThanOrEqualTo",
    "gt": "GreaterThan",
    "ge": "GreaterThanOrEqualTo",
    "eq": "Equals",
}
_ORDERED = frozenset({"lt", "le", "gt", "ge"})
_FAMILIES = {"int": "number", "float": "number", "str": "text", "bool": "truth"}
_QUOTES = frozenset("'\"[]")

Operand = tuple[Any, str]
"""An expression or literal, and its family: number, text or truth."""


def document(condition: spec.Condition, wiring: Wiring) -> Document:
    """A condition as step.json says it."""
    if isinstance(condition, spec.Comparison):
        left, right = wiring.value(condition.left), wiring.value(condition.right)
        return {"kind": "compare", "op": condition.op, "left": left, "right": right}
    if isinstance(condition, spec.Not):
        return {"kind": "not", "condition": document(condition.condition, wiring)}
    return {"kind": condition.kind, "conditions": [document(one, wiring) for one in condition.conditions]}


def native(context: Context, condition: spec.Condition) -> list[Document] | None:
    """The Conditions of a Condition step, all of which must hold; None when SageMaker cannot decide it."""
    parts = condition.conditions if isinstance(condition, spec.AllOf) else (condition,)
    found = [_native(context, one) for one in parts]
    return None if None in found else [one for one in found if one is not None]


def _native(context: Context, condition: spec.Condition) -> Document | None:
    if isinstance(condition, spec.Comparison):
        return _comparison(context, condition)
    if isinstance(condition, spec.Not):
        inner = _native(context, condition.condition)
        return None if inner is None else {"Type": "Not", "Condition": inner}
    parts = [_native(context, one) for one in condition.conditions]
    inside = [one for one in parts if one is not None]
    if len(inside) < len(parts):
        return None
    if isinstance(condition, spec.AnyOf):
        return {"Type": "Or", "Conditions": inside}
    # There is no And inside a condition: all hold when it is not so that one does not.
    return _not({"Type": "Or", "Conditions": [_not(one) for one in inside]})


def _not(condition: Document) -> Document:
    return {"Type": "Not", "Condition": condition}


def _comparison(context: Context, condition: spec.Comparison) -> Document | None:
    left = operand(context, condition.left)
    if left is None:
        return None
    if condition.op == "in":
        return _member(left, condition.right)
    right = operand(context, condition.right)
    if right is None or left[1] != right[1] or (condition.op in _ORDERED and left[1] != "number"):
        return None
    if condition.op == "ne":
        return _not({"Type": "Equals", "LeftValue": left[0], "RightValue": right[0]})
    return {"Type": _TYPES[condition.op], "LeftValue": left[0], "RightValue": right[0]}


def _member(left: Operand, right: Any) -> Document | None:
    if not isinstance(right, spec.LiteralValue) or not isinstance(right.value, list) or not right.value:
        return None
    sides = [_of_literal(one) for one in right.value]
    if any(one is None or one[1] != left[1] for one in sides):
        return None
    return {"Type": "In", "QueryValue": left[0], "Values": right.value}


def operand(context: Context, value: Any) -> Operand | None:
    """A value that the service itself can read, with its family; None for all others."""
    if isinstance(value, spec.LiteralValue):
        return _of_literal(value.value)
    if isinstance(value, spec.ParameterRef):
        parameter = context.parameter(value.name)
        family = {**_FAMILIES, "path": "text"}.get(parameter.type)
        if family is None or isinstance(parameter.default, spec.RunRef):
            return None
        return get(f"Parameters.{names.parameter(value.name)}"), family
    return _of_output(context, value) if isinstance(value, spec.OutputRef) else None


def _of_literal(value: Any) -> Operand | None:
    family = _FAMILIES.get(type(value).__name__)
    return None if family is None or (isinstance(value, float) and not math.isfinite(value)) else (value, family)


def _of_output(context: Context, value: spec.OutputRef) -> Operand | None:
    """A JSON value of a processing job's result; archives of training jobs have no property files."""
    position = context.position(value.step)
    archived = trains(context, position.step) or isinstance(position.step, spec.ApproveStep)
    opaque = archived and position.job is None
    if value.collected or position.map is not None or opaque:
        return None
    port = next(port for port in spec.outputs(position.step) if port.name == value.output)
    kind = types.canonical(_type(port, value.field))
    family = _FAMILIES.get(kind)
    if family is None or (value.field is not None and _QUOTES & set(value.field)):
        return None
    path: list[str | int] = ["metrics" if port.mode == "metrics" else "values", value.output]
    if position.job is not None:
        if any(isinstance(one, spec.ConditionStep) for one in position.parents[position.parents.index(position.job) :]):
            return None  # a member that may not have run has no result
        path = ["members", value.step, *path]
    if value.field is not None:
        if types.parsed(port.type).base in types.LISTS:
            if not value.field.isdecimal():
                return None
            path.append(int(value.field))
        else:
            path.append(value.field)
    return result_value(main_name(context, value.step), *path), family


def _type(port: spec.Port, field: str | None) -> str:
    if field is None:
        return port.type if port.mode != "metrics" else types.ANY
    return "float" if port.mode == "metrics" else types.element(port.type)
