"""The points that are tried: Optuna's samplers over a study's parameters, conditional ones included."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.tuning.rules import condition, kind_of

Document = dict[str, Any]
Point = dict[str, Any]
"""Values by parameter id: int, float or str."""

_APART = 1e-10


@dataclass(frozen=True)
class Node:
    """One parameter. `path` tells it from others of its name; `children` are active for some of its values."""

    path: str
    name: str
    spec: Document
    kind: str
    reverse: bool
    distribution: Any
    children: tuple[tuple[tuple[Any, ...], Node], ...]

    def value(self, raw: Any) -> Any:
        """The parameter's value for what the sampler gave."""
        if self.kind == "discrete_value_spec":
            return self.spec["values"][raw]
        if self.reverse:
            return self.distribution.low + self.distribution.high - raw
        return raw

    def raw(self, value: Any) -> Any:
        """What the sampler would have given for a value."""
        if self.kind == "discrete_value_spec":
            return self.spec["values"].index(value)
        return self.distribution.low + self.distribution.high - value if self.reverse else value

    def active(self, value: Any) -> list[Node]:
        """The parameters that a value makes active."""
        return [child for wanted, child in self.children if any(_same(one, value) for one in wanted)]


def _same(wanted: Any, value: Any) -> bool:
    return bool(wanted == value if isinstance(value, str) else abs(wanted - value) <= _APART)


def tree(parameters: Sequence[Document], prefix: str = "") -> list[Node]:
    """The parameters as nodes."""
    found = []
    for number, parameter in enumerate(parameters):
        path = f"{prefix}{number}:{parameter['parameter_id']}"
        kind = kind_of(parameter)
        conditions = parameter.get("conditional_parameter_specs") or []
        children = [
            (tuple(condition(child)[1]), tree([child["parameter_spec"]], f"{path}/{index}/")[0])
            for index, child in enumerate(conditions)
        ]
        scale = parameter.get("scale_type")
        reverse = scale == "UNIT_REVERSE_LOG_SCALE" and kind != "discrete_value_spec"
        logarithmic = scale in {"UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"}
        distribution = _DISTRIBUTIONS[kind](parameter[kind], logarithmic)
        found.append(
            Node(path, parameter["parameter_id"], parameter[kind], kind, reverse, distribution, tuple(children))
        )
    return found


def _double(spec: Document, logarithmic: bool) -> Any:
    from optuna.distributions import FloatDistribution

    return FloatDistribution(float(spec.get("min_value", 0)), float(spec.get("max_value", 0)), log=logarithmic)


def _integer(spec: Document, logarithmic: bool) -> Any:
    from optuna.distributions import IntDistribution

    return IntDistribution(int(spec.get("min_value", 0)), int(spec.get("max_value", 0)), log=logarithmic)


def _categorical(spec: Document, _: bool) -> Any:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(tuple(spec["values"]))


def _discrete(spec: Document, _: bool) -> Any:
    """The number of the value: the order stays, and the list is itself the scale."""
    from optuna.distributions import IntDistribution

    return IntDistribution(0, len(spec["values"]) - 1)


_DISTRIBUTIONS: dict[str, Callable[[Document, bool], Any]] = {
    "double_value_spec": _double,
    "integer_value_spec": _integer,
    "categorical_value_spec": _categorical,
    "discrete_value_spec": _discrete,
}


class Points:
    """Asks for points and is told results."""

    def __init__(self, study_spec: Document, name: str, asked: int = 0) -> None:
        """`name` seeds; `asked`: how many points were given before a restart of the mock."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._tree = tree(study_spec["parameters"])
        algorithm = study_spec.get("algorithm", "")
        self._grid = itertools.islice(_grid(self._tree), asked, None) if algorithm == "GRID_SEARCH" else None
        seed = zlib.crc32(name.encode())
        random = algorithm == "RANDOM_SEARCH"
        sampler = (
            optuna.samplers.RandomSampler(seed=seed)
            if random
            # The same seed again would give the same first points again.
            else optuna.samplers.TPESampler(seed=(seed + asked) % 2**32, constant_liar=True)
        )
        directions: Any = ["minimize" if one["goal"] == "MINIMIZE" else "maximize" for one in study_spec["metrics"]]
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._asked: dict[str, Any] = {}
        for _ in range(asked if random else 0):
            self.ask("")

    def ask(self, trial_id: str) -> Point | None:
        """The next point; None when a grid is used up."""
        if self._grid is not None:
            return next(self._grid, None)
        trial = self._asked[trial_id] = self._study.ask()
        point: Point = {}
        waiting = list(self._tree)
        while waiting:
            node = waiting.pop(0)
            point[node.name] = node.value(_suggest(trial, node))
            waiting += node.active(point[node.name])
        return point

    def tell(self, trial_id: str, values: Sequence[float] | None) -> None:
        """A trial ended with these values of the metrics; None: it has none."""
        from optuna.trial import TrialState

        trial = self._asked.pop(trial_id, None)
        if trial is not None:
            self._study.tell(trial, values, state=TrialState.FAIL if values is None else TrialState.COMPLETE)

    def learn(self, point: Point, values: Sequence[float]) -> None:
        """A result from before a restart of the mock."""
        from optuna.trial import create_trial

        if self._grid is not None:
            return
        nodes, waiting = [], list(self._tree)
        while waiting:
            node = waiting.pop(0)
            nodes.append(node)
            waiting += node.active(point[node.name])
        params = {node.path: node.raw(point[node.name]) for node in nodes}
        distributions = {node.path: node.distribution for node in nodes}
        self._study.add_trial(create_trial(params=params, distributions=distributions, values=list(values)))


def _suggest(trial: Any, node: Node) -> Any:
    kind = node.distribution
    if node.kind == "categorical_value_spec":
        return trial.suggest_categorical(node.path, kind.choices)
    suggest = trial.suggest_float if node.kind == "double_value_spec" else trial.suggest_int
    return suggest(node.path, kind.low, kind.high, log=kind.log)


def _grid(nodes: Sequence[Node]) -> Iterator[Point]:
    """Every combination, the last parameter fastest; conditional ones where they are active."""
    if not nodes:
        yield {}
        return
    first, *rest = nodes
    values = (
        range(first.distribution.low, first.distribution.high + 1)
        if first.kind == "integer_value_spec"
        else first.spec["values"]
    )
    for value in values:
        for inner in _grid(first.active(value)):
            for other in _grid(rest):
                yield {first.name: value, **inner, **other}
