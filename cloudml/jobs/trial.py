"""One trial of a tuning job: from the hyperparameters, which are texts, to the arguments of the function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cloudml.jobs.failure import Refused

POINT, POINT_HIGH = "cloudml_trial", "cloudml_trial_high"
"""The hyperparameters that number the points of a grid; a second one where there are more than a range may hold."""
RANGE = 30
"""Points that one such hyperparameter numbers unless the step says otherwise: as many as every service takes."""


def number(tuning: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> int | None:
    """Which of the step's own points this is; None where the service proposes the values.

    Two ranges of hyperparameters may span more numbers than there are points: those beyond are repeats.
    """
    if tuning.get("points") is None or POINT not in hyperparameters:
        return None
    high = int(plain(hyperparameters.get(POINT_HIGH, "0")))
    return high * int(tuning.get("width") or RANGE) + int(plain(hyperparameters[POINT]))


def parameters(tuning: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """The tuned arguments by name. Raises Refused: the hyperparameters are not those of the step."""
    index, points = number(tuning, hyperparameters), tuning.get("points")
    if points is not None:
        if index is None or not 0 <= index < 2 * len(points):
            raise Refused(f"the tuning job asks for point {index}; the step has {len(points)}")
        return dict(points[index % len(points)])
    expected = tuning["parameters"]
    missing = [name for name in expected if name not in hyperparameters]
    if missing:
        raise Refused(f"the tuning job gives no value for {', '.join(missing)}")
    return {one["argument"]: _DECODERS[one["as"]](hyperparameters[name], one) for name, one in expected.items()}


def plain(text: str) -> str:
    """A number as it was given: services may put categorical values into quotes."""
    return text.strip('"')


def _stepped(text: str, one: Mapping[str, Any]) -> float | int:
    """A range with a step is tuned by the number of the step."""
    value = one["low"] + int(float(plain(text))) * one["step"]
    return int(value) if one.get("type") == "int" else value


_DECODERS: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
    "float": lambda text, one: float(plain(text)),
    "int": lambda text, one: int(float(plain(text))),
    "json": lambda text, one: json.loads(text),
    "step": _stepped,
}


def objective(values: Mapping[str, Any], name: str) -> float:
    """The metric of that name, in whichever output has it. Raises Refused: none has."""
    for value in values.values():
        if isinstance(value, dict) and name in value:
            return float(value[name])
    if name not in values:
        raise Refused(f"no output has the objective {name!r}")
    return float(values[name])
