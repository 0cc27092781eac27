"""Which fleet and which variant an invocation goes to (pure): by weights, by a deployment's phase, evenly spread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.hosting import fleets, stages, views

_GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio fill 0 to 1 as evenly as a sequence can: n calls meet a share within about 1/n."""


@dataclass(frozen=True)
class Target:
    """One variant of one fleet."""

    fleet: Document
    variant: str


def targets(endpoint: Document) -> list[tuple[Target, float]]:
    """Every production variant of every fleet with its part of the traffic; the parts sum up to 1."""
    deployment = endpoint.get("_deployment")
    part = stages.share(deployment) if deployment else 0.0
    found = _fleet(views.live(endpoint), 1 - part)
    new = views.coming(endpoint)
    return [*found, *(_fleet(new, part) if new is not None and part > 0 else [])]


def choose(endpoint: Document, number: int, variant: str = "") -> Target | None:
    """The target of the `number`-th invocation, with `variant` only of that name. None when there is none."""
    found = [(target, part) for target, part in targets(endpoint) if variant in {"", target.variant}]
    if variant and not any(part > 0 for _, part in found):
        # A variant of weight 0 is still reached by its name (API reference, TargetVariant).
        found = [(target, 1.0) for target, _ in found]
    total = sum(part for _, part in found)
    if total <= 0:
        return None
    point = position(endpoint["EndpointName"] + variant, number) * total
    for target, part in found:
        point -= part
        if point < 0:
            return target
    return next(target for target, part in reversed(found) if part > 0)


def position(seed: str, number: int) -> float:
    """The `number`-th point of an even sequence over 0 to 1, shifted by the seed."""
    shift = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48
    return (shift + number * _GOLDEN) % 1.0


def _fleet(fleet: Document, part: float) -> list[tuple[Target, float]]:
    names = fleets.production(fleet)
    total = sum(fleet["Weights"][name] for name in names) or 1.0
    return [(Target(fleet, name), part * fleet["Weights"][name] / total) for name in names]
