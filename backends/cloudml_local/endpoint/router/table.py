"""Who gets the next request. A table never changes its variants: a change is a new table and one assignment."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from cloudml.serving.telemetry import RequestCounters

_REST_SECONDS = 1.0


@dataclass(eq=False)
class Target:
    """One model server process as the data plane sees it."""

    name: str
    port: int = 0
    up: bool = False
    in_flight: int = 0
    broken: int = 0
    resting_until: float = 0.0

    def rest(self) -> None:
        """Take no requests for a second after a connection failed: its supervisor will know more by then."""
        self.broken += 1
        self.resting_until = time.monotonic() + _REST_SECONDS

    @property
    def available(self) -> bool:
        """Up, and no connection to it failed just now."""
        return self.up and time.monotonic() >= self.resting_until


@dataclass(frozen=True, eq=False)
class Variant:
    """A version with its share of the traffic, its processes and its counters."""

    name: str
    version: int
    weight: float
    targets: tuple[Target, ...]
    counters: RequestCounters = field(default_factory=RequestCounters)

    @property
    def in_flight(self) -> int:
        """Requests sent to this variant and not answered yet."""
        return sum(target.in_flight for target in self.targets)


class RoutingTable:
    """Smooth weighted round robin: exact shares after every full turn, no randomness, no bursts."""

    def __init__(self, deployment_id: int, variants: tuple[Variant, ...], request_timeout: float) -> None:
        self.deployment_id = deployment_id
        self.variants = variants
        self.request_timeout = request_timeout
        self._credit = dict.fromkeys(variants, 0.0)

    def choose(self, avoid: Collection[Target] = ()) -> tuple[Variant, Target] | None:
        """A variant by weight among those with a target, and its least loaded target; None when nobody is up.

        A target that rests, or that the caller wants to avoid, is taken only when there is no other.
        """
        for acceptable in _PREFERENCES:
            candidates = {
                variant: targets
                for variant in self.variants
                if variant.weight > 0 and (targets := [t for t in variant.targets if acceptable(t, avoid)])
            }
            if candidates:
                variant = self._next(list(candidates))
                return variant, min(candidates[variant], key=lambda target: target.in_flight)
        return None

    def _next(self, variants: list[Variant]) -> Variant:
        if len(variants) == 1:
            return variants[0]
        for variant in variants:
            self._credit[variant] += variant.weight
        chosen = max(variants, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(variant.weight for variant in variants)
        return chosen


_PREFERENCES: tuple[Callable[[Target, Collection[Target]], bool], ...] = (
    lambda target, avoid: target.available and target not in avoid,
    lambda target, avoid: target.up and target not in avoid,
    lambda target, avoid: target.up,
)
