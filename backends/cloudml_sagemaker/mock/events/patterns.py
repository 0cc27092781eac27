"""EventBridge's pattern language: which events a rule matches.

Source: EventBridge user guide, "Event patterns" and "Comparison operators for use in event patterns". Arrays match by
any of their values; objects in an array match when one of them satisfies the whole sub-pattern.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt
from typing import Any

Pattern = dict[str, Any]


class BadPattern(ValueError):
    """EventBridge would refuse the pattern; the text is AWS's reason."""


def load(text: str) -> Pattern:
    """Parse and check an event pattern. Raises BadPattern."""
    try:
        pattern = json.loads(text)
    except ValueError:
        raise BadPattern("Invalid JSON") from None
    if not isinstance(pattern, dict):
        raise BadPattern("Filter is not an object")
    if not pattern:
        raise BadPattern("Empty filter is not allowed")
    _check(pattern)
    return pattern


def refuse(text: str) -> str | None:
    """Why AWS would refuse a pattern (InvalidEventPatternException), in its words; None when it would not."""
    try:
        load(text)
    except BadPattern as error:
        return f"Event pattern is not valid. Reason: {error}"
    return None


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether `event` (or, for a list, one of its objects) satisfies every member of `pattern`."""
    if isinstance(event, list):
        inside = [item for item in event if isinstance(item, dict)]
        return any(matches(pattern, item) for item in inside) if inside else matches(pattern, {})
    fields = event if isinstance(event, dict) else {}
    return all(_member(name, wanted, fields) for name, wanted in pattern.items())


def _member(name: str, wanted: Any, fields: dict[str, Any]) -> bool:
    if name == "$or" and isinstance(wanted, list):
        return any(matches(choice, fields) for choice in wanted)
    if isinstance(wanted, dict):
        return matches(wanted, fields.get(name))
    values = _leaves(fields[name]) if name in fields else []
    return any(_alternative(choice, values) for choice in wanted)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [] if isinstance(value, dict) else [value]


def _alternative(choice: Any, values: list[Any]) -> bool:
    if not isinstance(choice, dict):
        return any(_same(choice, value) for value in values)
    operator, argument = next(iter(choice.items()))
    if operator == "exists":
        return bool(values) is argument
    holds = _OPERATORS[operator]
    return any(holds(argument, value) for value in values)


def _same(wanted: Any, value: Any) -> bool:
    """Equal as EventBridge compares: true is not 1, 300 is not 300.0 (numbers are compared as they are written)."""
    return type(wanted) is type(value) and bool(wanted == value)


def _many(argument: Any) -> list[Any]:
    return argument if isinstance(argument, list) else [argument]


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """A test on strings; its argument may be a list, or `{"equals-ignore-case": ...}`."""

    def holds(argument: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, dict):
            folded = _many(argument["equals-ignore-case"])
            return any(test(value.casefold(), item.casefold()) for item in folded)
        return any(test(value, item) for item in _many(argument))

    return holds


def _numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)


def _cidr(argument: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


def _wild(value: str, wanted: str) -> bool:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", wanted)
    source = "".join(
        ".*" if part == "*" else re.escape(part[1:] if part in {"\\*", "\\\\"} else part) for part in parts
    )
    return re.fullmatch(source, value, re.DOTALL) is not None


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, dict):
        operator, inner = next(iter(argument.items()))
        return not _OPERATORS[operator](inner, value)
    return not any(_same(item, value) for item in _many(argument))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, "=": eq, ">": gt, ">=": ge}

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _text(str.startswith),
    "suffix": _text(str.endswith),
    "equals-ignore-case": _text(lambda value, wanted: value.casefold() == wanted.casefold()),
    "wildcard": _text(_wild),
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}


def _check(node: Pattern) -> None:
    for name, wanted in node.items():
        if name == "$or" and isinstance(wanted, list) and all(isinstance(item, dict) for item in wanted):
            if len(wanted) < 2:
                raise BadPattern("There must have at least 2 Objects in $or relationship")
            for item in wanted:
                _check(item)
        elif isinstance(wanted, dict):
            if not wanted:
                raise BadPattern("Empty objects are not allowed")
            _check(wanted)
        elif isinstance(wanted, list):
            if not wanted:
                raise BadPattern("Empty arrays are not allowed")
            for choice in wanted:
                _check_choice(choice)
        else:
            raise BadPattern(f'"{name}" must be an object or an array')


def _check_choice(choice: Any) -> None:
    if isinstance(choice, list):
        raise BadPattern("Match value must be String, number, true, false, or null")
    if not isinstance(choice, dict):
        return
    if len(choice) != 1:
        raise BadPattern("Only one key allowed in match expression")
    operator, argument = next(iter(choice.items()))
    if operator == "exists":
        if not isinstance(argument, bool):
            raise BadPattern("exists match pattern must be either true or false.")
    elif operator not in _OPERATORS:
        raise BadPattern(f"Unrecognized match type {operator}")
    elif not _ARGUMENTS[operator](argument):
        raise BadPattern(f"Value of {operator} is not valid")


def _strings(argument: Any) -> bool:
    return bool(_many(argument)) and all(isinstance(item, str) for item in _many(argument))


def _affix(argument: Any) -> bool:
    if isinstance(argument, dict):
        return list(argument) == ["equals-ignore-case"] and _strings(argument["equals-ignore-case"])
    return isinstance(argument, str)


def _comparison(argument: Any) -> bool:
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        return False
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in argument[1::2])
    return numbers and all(sign in _COMPARISONS for sign in argument[::2])


def _network(argument: Any) -> bool:
    try:
        ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False
    return True


def _unlike(argument: Any) -> bool:
    if isinstance(argument, dict):
        operator = next(iter(argument), "")
        return operator in {"prefix", "suffix", "equals-ignore-case", "wildcard"} and _strings(argument[operator])
    items = _many(argument)
    return bool(items) and all(isinstance(item, str | int | float) or item is None for item in items)


_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "prefix": _affix,
    "suffix": _affix,
    "equals-ignore-case": lambda argument: isinstance(argument, str),
    "wildcard": lambda argument: isinstance(argument, str) and "**" not in argument,
    "numeric": _comparison,
    "cidr": _network,
    "anything-but": _unlike,
}
