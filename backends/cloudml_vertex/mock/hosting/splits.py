"""Traffic splits (pure): what an endpoint's map may say, and which deployed model a request goes to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from cloudml_vertex.mock.core.errors import invalid

Split = dict[str, int]
NEW = "0"
"""Stands for the model that is being deployed (DeployModelRequest.traffic_split)."""
_GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio fill 0 to 1 as evenly as a sequence can."""


def check(split: Mapping[str, int], known: Collection[str]) -> None:
    """Raises INVALID_ARGUMENT unless the split is empty, or of known ids with percentages that add up to 100."""
    strangers = [key for key in split if key not in known]
    if strangers:
        raise invalid(f"The following DeployedModel ID(s) [{', '.join(sorted(strangers))}] do not exist.")
    if any(not 0 <= value <= 100 for value in split.values()):
        raise invalid("traffic_split: a percentage is a whole number from 0 to 100.")
    total = sum(split.values())
    if split and total != 100:
        raise invalid(f"traffic_split: the traffic percentage values must add up to 100, and these add up to {total}.")


def named(split: Mapping[str, int], new: str) -> Split:
    """The split with the id of the deployed model in place of "0"."""
    return {new if key == NEW else key: value for key, value in split.items()}


def choose(split: Mapping[str, int], seed: str, number: int) -> str:
    """The id that the `number`-th request of an endpoint goes to: spread evenly, the same in each run. ValueError for a
    split without traffic."""
    parts = [(key, split[key]) for key in sorted(split) if split[key] > 0]
    if not parts:
        raise ValueError("no traffic")
    point = position(seed, number) * sum(value for _, value in parts)
    for key, value in parts:
        point -= value
        if point < 0:
            return key
    return parts[-1][0]


def position(seed: str, number: int) -> float:
    """The `number`-th point of an even sequence over 0 to 1, shifted by the seed."""
    shift = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48
    return (shift + number * _GOLDEN) % 1.0
