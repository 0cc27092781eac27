"""Faults on demand: rules that say what goes wrong, where, how often and, for chances, by which seed.

A rule is `KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]`. PATTERN (as in a shell) is held
against the subject at the place where such a fault can strike: an operation, a job, an endpoint.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from cloudml.errors import MockError


@dataclass(frozen=True)
class FaultKind:
    """A thing that can go wrong. `place` names where it strikes ("operation", "job", "endpoint"...)."""

    name: str
    place: str
    about: str


@dataclass(frozen=True)
class Fault:
    """One rule. `count`: how often at most (None: always); `after`: how many matches pass untouched first."""

    kind: str
    pattern: str = "*"
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0


@dataclass
class _Armed:
    fault: Fault
    chance: random.Random
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        self.seen += 1
        if self.seen <= self.fault.after or (self.fault.count is not None and self.struck >= self.fault.count):
            return False
        if self.fault.probability < 1 and self.chance.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


_NUMBERS = {"count": int, "after": int, "probability": float, "seed": int, "seconds": float}


@dataclass
class Faults:
    """The rules in force. Thread-safe; with equal rules and equal calls the same faults strike."""

    kinds: Mapping[str, FaultKind]
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Arm a rule. Raises MockError for an unknown kind, and for numbers by which it could never strike."""
        self._check(fault, "")
        with self._lock:
            self._armed.append(_Armed(fault, random.Random(fault.seed)))  # noqa: S311 - chance in a test, not a secret

    def parse(self, text: str) -> Fault:
        """The rule written as text. Raises MockError with the form when it is not one."""
        head, *options = text.split(",")
        kind, _, pattern = head.partition(":")
        values: dict[str, float | int] = {}
        for option in options:
            name, _, value = option.partition("=")
            try:
                values[name.strip()] = _NUMBERS[name.strip()](value)
            except (KeyError, ValueError):
                form = "KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]"
                raise MockError(f"{option!r} is no option of a fault rule", where=text, hint=f"write {form}") from None
        fault = Fault(kind.strip(), pattern.strip() or "*", **values)  # type: ignore[arg-type]
        self._check(fault, text)
        return fault

    def _check(self, fault: Fault, where: str) -> None:
        if fault.kind not in self.kinds:
            hint = f"kinds: {', '.join(sorted(self.kinds))}"
            raise MockError(f"there is no fault {fault.kind!r}", where=where, hint=hint)
        bounds = (
            ("count", fault.count is None or fault.count >= 1, "1 or more"),
            ("after", fault.after >= 0, "0 or more"),
            ("probability", 0 < fault.probability <= 1, "more than 0, at most 1"),
            ("seconds", 0 <= fault.seconds < math.inf, "0 or more"),
        )
        for name, fits, wanted in bounds:
            if not fits:
                raise MockError(f"{name}={getattr(fault, name)} is no {name} of a fault", where=where, hint=wanted)

    def strike(self, place: str, *subjects: str, kinds: Collection[str] = ()) -> Fault | None:
        """The fault that strikes now at `place`, if any: the first rule whose pattern matches one of `subjects`.

        `kinds`: only these can strike here; empty: all of the place.
        """
        with self._lock:
            for armed in self._armed:
                kind = armed.fault.kind
                if self.kinds[kind].place != place or (kinds and kind not in kinds):
                    continue
                if any(fnmatchcase(subject, armed.fault.pattern) for subject in subjects) and armed.strikes():
                    return armed.fault
        return None

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def rules(self) -> list[tuple[Fault, int]]:
        """Each rule with how often it struck."""
        with self._lock:
            return [(armed.fault, armed.struck) for armed in self._armed]


def table(kinds: Iterable[FaultKind]) -> dict[str, FaultKind]:
    """Kinds by name."""
    return {kind.name: kind for kind in kinds}
