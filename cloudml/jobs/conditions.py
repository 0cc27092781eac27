"""Whether a condition holds, and each comparison in words with its numbers: as on every backend."""

from __future__ import annotations

from typing import Any

from cloudml.jobs.failure import Refused
from cloudml.jobs.values import Values
from cloudml.runtime.operators import COMPARISONS, SIGNS, short


class NoChampion(Refused):
    """No version bears the alias; `passes` says what a comparison with it yields."""

    def __init__(self, message: str, passes: bool) -> None:
        super().__init__(message)
        self.passes = passes


def holds(condition: dict[str, Any], values: Values) -> tuple[bool, list[str]]:
    """The verdict and its words. Raises what `Values.json` raises, Refused for values that cannot be compared."""
    kind = condition["kind"]
    if kind == "compare":
        return _compare(condition, values)
    if kind == "not":
        result, words = holds(condition["condition"], values)
        return not result, [f"not ({'; '.join(words)})"]
    results = [holds(one, values) for one in condition["conditions"]]
    words = [word for _, found in results for word in found]
    outcome = all(result for result, _ in results) if kind == "all" else any(result for result, _ in results)
    return outcome, words if kind == "all" else [f"any of ({'; '.join(words)})"]


def _compare(condition: dict[str, Any], values: Values) -> tuple[bool, list[str]]:
    words = f"{describe(condition['left'])} {SIGNS[condition['op']]} {describe(condition['right'])}"
    try:
        left, right = values.json(condition["left"]), values.json(condition["right"])
    except NoChampion as missing:
        return missing.passes, [f"{words}: {missing}, so it {'holds' if missing.passes else 'fails'}"]
    try:
        result = bool(COMPARISONS[condition["op"]](left, right))
    except TypeError as error:
        raise Refused(f"cannot compare {left!r} with {right!r}: {error}") from None
    numbers = f"{short(left)} {SIGNS[condition['op']]} {short(right)} is {str(result).lower()}"
    return result, [f"{words}: {numbers}"]


def describe(value: dict[str, Any]) -> str:
    """A value as its author would write it, as far as the step still knows."""
    if "literal" in value:
        return short(value["literal"])
    if "arithmetic" in value:
        what = value["arithmetic"]
        return f"{describe(what['left'])} {SIGNS[what['op']]} {describe(what['right'])}"
    if "champion" in value:
        return f"champion({value['champion']['model']}).{value['champion']['metric']}"
    if "set" in value:
        return str(value["set"]).rpartition(".")[2]
    return str(value.get("text") or value.get("field") or value.get("port") or next(iter(value)))
