"""The points that are tried: Optuna's samplers over SageMaker's ranges."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document


@dataclass(frozen=True)
class Axis:
    """One hyperparameter: Optuna's distribution, and how a value of it is written for the container."""

    name: str
    distribution: Any
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def axes(ranges: Document) -> list[Axis]:
    """The ranges as Optuna has them. Auto scaling: logarithmic when a positive range spans three decades or more."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: list[Axis] = []
    for one in ranges.get("IntegerParameterRanges") or []:
        low, high = int(one["MinValue"]), int(one["MaxValue"])
        found.append(Axis(one["Name"], IntDistribution(low, high, log=_logarithmic(one, low, high)), str, int))
    for one in ranges.get("ContinuousParameterRanges") or []:
        low_, high_ = float(one["MinValue"]), float(one["MaxValue"])
        if one.get("ScalingType") == "ReverseLogarithmic":
            mirrored = FloatDistribution(1 - high_, 1 - low_, log=True)
            found.append(Axis(one["Name"], mirrored, lambda value: repr(1 - value), lambda text: 1 - float(text)))
        else:
            distribution = FloatDistribution(low_, high_, log=_logarithmic(one, low_, high_))
            found.append(Axis(one["Name"], distribution, repr, float))
    found.extend(
        Axis(one["Name"], CategoricalDistribution(tuple(one["Values"])), str, str)
        for one in ranges.get("CategoricalParameterRanges") or []
    )
    return found


def _logarithmic(one: Document, low: float, high: float) -> bool:
    scaling = one.get("ScalingType", "Auto")
    return scaling == "Logarithmic" or (scaling == "Auto" and low > 0 and high / low >= 1000)


class Points:
    """Asks for points and is told results. `strategy` and `seed` as the tuning job has them."""

    def __init__(
        self, ranges: Document, strategy: str, seed: int | None, name: str, *, maximize: bool, asked: int = 0
    ) -> None:
        """`name` seeds when `seed` does not; `asked`: how many points were given before a restart of the mock."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._axes = axes(ranges)
        self._by_name = {axis.name: axis for axis in self._axes}
        self._space = {axis.name: axis.distribution for axis in self._axes}
        self._grid = self._combinations(ranges) if strategy == "Grid" else None
        start = seed if seed is not None else zlib.crc32(name.encode())
        random = strategy in {"Random", "Hyperband"}
        sampler = (
            optuna.samplers.RandomSampler(seed=start)
            if random
            # The same seed again would give the same first points again.
            else optuna.samplers.TPESampler(seed=(start + asked) % 2**32, constant_liar=True)
        )
        self._study = optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)
        self._asked: dict[tuple[tuple[str, str], ...], Any] = {}
        for _ in range(asked if random or self._grid is not None else 0):
            self.ask()
        self._asked.clear()

    @staticmethod
    def _combinations(ranges: Document) -> Iterator[dict[str, str]]:
        categories = ranges["CategoricalParameterRanges"]
        for values in itertools.product(*(one["Values"] for one in categories)):
            yield {one["Name"]: value for one, value in zip(categories, values, strict=True)}

    def ask(self) -> dict[str, str] | None:
        """The next point, as the container is given it; None when a grid is used up."""
        if self._grid is not None:
            return next(self._grid, None)
        trial = self._study.ask(self._space)
        point = {axis.name: axis.write(trial.params[axis.name]) for axis in self._axes}
        self._asked[_key(point)] = trial
        return point

    def tell(self, point: dict[str, str], value: float | None) -> None:
        """A trial ended with this objective; None: it has none."""
        if self._grid is not None:
            return
        from optuna.trial import TrialState

        trial = self._asked.pop(_key(point), None)
        if trial is None and value is not None:  # asked for before a restart of the mock
            self.learn(point, value)
        elif trial is not None:
            self._study.tell(trial, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)

    def learn(self, point: dict[str, str], value: float) -> None:
        """A result from before (a restart, a warm start); left out when it is outside of the ranges, or for a grid."""
        if self._grid is not None:
            return
        from optuna.trial import create_trial

        try:
            params = {name: axis.read(point[name]) for name, axis in self._by_name.items()}
            self._study.add_trial(create_trial(params=params, distributions=self._space, value=value))
        except (KeyError, ValueError):
            return


def _key(point: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(point.items()))
