"""Metrics: classes of named numbers, so that a misspelt metric is found while the pipeline is being written."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NoReturn, dataclass_transform

NUMBER_TYPES: dict[Any, type] = {"float": float, "int": int, float: float, int: int}
BOOLEAN_NAMES = frozenset({"bool", "bool_"})


class MetricField:
    """What `Scores.auc` is on the class: a name that a tuning objective or a gate can refer to.

    On an instance, the same attribute is the number itself.
    """

    __slots__ = ("default", "kind", "name", "owner")

    def __init__(self, owner: type[Metrics], name: str, kind: type, default: Any = None) -> None:
        self.owner = owner
        self.name = name
        self.kind = kind
        self.default = default

    def __get__(self, instance: Metrics | None, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: Metrics, value: object) -> NoReturn:
        raise AttributeError(f"{type(instance).__name__} is frozen: {self.name} cannot be changed")

    def __repr__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"

    def convert(self, value: Any) -> float | int:
        """`value` as this field's type; TypeError, naming the field, for anything that is not such a number."""
        kind = type(value)
        if kind is bool or kind.__name__ in BOOLEAN_NAMES or isinstance(value, (str, bytes)):
            self._refuse(value)
        try:
            number = value.__index__() if self.kind is int else value.__float__()
        except (AttributeError, TypeError, ValueError):
            self._refuse(value)
        return number if self.kind is int else float(number)

    def _refuse(self, value: object) -> NoReturn:
        raise TypeError(f"{self!r} must be {self.kind.__name__}, not {type(value).__name__} ({value!r:.60})")


@dataclass_transform(frozen_default=True, kw_only_default=False)
class Metrics:
    """The base of a step's metrics: subclass it with annotated `float` or `int` fields.

        class Scores(Metrics):
            auc: float
            rows: int = 0

    Instances are frozen and compare by value. `Scores(auc=0.8).auc` is a float, `Scores.auc` a `MetricField`.
    """

    __metric_fields__: ClassVar[dict[str, MetricField]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        fields = dict(cls.__metric_fields__)
        for name, annotation in vars(cls).get("__annotations__", {}).items():
            if name == "__metric_fields__" or "ClassVar" in str(annotation):
                continue
            fields[name] = _field(cls, name, annotation)
        for name, inherited in fields.items():
            own = inherited if inherited.owner is cls else MetricField(cls, name, inherited.kind, inherited.default)
            fields[name] = own
            setattr(cls, name, own)
        cls.__metric_fields__ = fields

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = type(self).__metric_fields__
        if len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} has {len(fields)} metrics, {len(values)} were given")
        given = dict(zip(fields, values, strict=False))
        for name, value in named.items():
            if name not in fields or name in given:
                problem = "is given twice" if name in given else f"is none of its metrics: {', '.join(fields)}"
                raise TypeError(f"{type(self).__name__}: {name!r} {problem}")
            given[name] = value
        missing = [name for name, field in fields.items() if name not in given and field.default is None]
        if missing:
            raise TypeError(f"{type(self).__name__} lacks {', '.join(missing)}")
        for name, field in fields.items():
            self.__dict__[name] = field.convert(given.get(name, field.default))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def to_dict(self) -> dict[str, float | int]:
        """The numbers by name, in the order of the class."""
        return dict(self.__dict__)

    def not_finite(self) -> tuple[str, ...]:
        """The names of the metrics that are NaN or infinite; no backend can store or compare those."""
        return tuple(name for name, value in self.__dict__.items() if not math.isfinite(value))


def _field(owner: type[Metrics], name: str, annotation: Any) -> MetricField:
    kind = NUMBER_TYPES.get(annotation)
    if kind is None:
        raise TypeError(f"{owner.__name__}.{name} is annotated {annotation!r}; a metric is a float or an int")
    field = MetricField(owner, name, kind)
    if name in owner.__dict__:
        field.default = field.convert(owner.__dict__[name])
    return field
