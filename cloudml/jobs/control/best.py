"""The best trial of a tuning service's job, whose outputs become the step's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudml.jobs import trial
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored


@dataclass(frozen=True)
class Trial:
    """One trial. `job` and `value` as the service has them; `state`: succeeded, pruned or failed."""

    number: int
    job: str
    state: str
    value: float | None
    parameters: dict[str, Any]
    reason: str


def choose(found: Sequence[Trial], action: Document) -> Trial:
    """The best; of equals the first. Raises Refused: none ended with a value, or more failed than the step survives."""
    failed = [one for one in found if one.state == "failed"]
    if len(failed) > action.get("max_failed", 0):
        raise Refused(f"trial {failed[0].number} failed: {failed[0].reason}")
    sign = 1 if action["direction"] == "minimize" else -1
    ended = [one for one in found if one.state == "succeeded" and one.value is not None]
    if not ended:
        raise Refused("no trial ended with a value")
    return min(ended, key=lambda one: (sign * float(one.value or 0), one.number))


def adopted(
    chosen: Trial,
    found: Sequence[Trial],
    outputs: Mapping[str, Stored],
    values: Mapping[str, Any],
    action: Document,
    context: Context,
) -> Made:
    """What the step puts out: the trial's outputs, its parameters and exact value, and the table of all trials.

    `values`: of the trial's own result, whose numbers no service has rounded.
    """
    exact = trial.objective(values, action["objective"])
    table = [
        {"number": one.number, "state": one.state, "value": exact if one is chosen else one.value, **one.parameters}
        for one in found
    ]
    ports = {port["name"] for port in context.step.get("outputs", ())}
    kept = {port: stored for port, stored in outputs.items() if port in ports}
    return {**kept, "best_parameters": chosen.parameters, "best_value": exact, "trials": table}
