"""Parameters of a pipeline: `min_auc: ml.Param[float] = 0.82`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, overload

from cloudml.authoring.location import Location, caller
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml import spec

T = TypeVar("T")
Param: TypeAlias = Annotated[T, "cloudml.Param"]
"""The annotation of a pipeline's parameter: `ml.Param[float]`. To a type checker it is the type itself."""

Scalar: TypeAlias = bool | int | float | str

TYPES = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "pathlib.Path": "path",
    "dict": "json",
    "list": "json",
    "Any": "json",
}
"""Python's name of a parameter's type -> the spec's."""


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()


@dataclass(frozen=True)
class Declared:
    """What `ml.param(...)` says of a parameter."""

    default: Any
    choices: tuple[Scalar, ...]
    minimum: float | None
    maximum: float | None
    description: str
    where: Location


@overload
def param(
    default: T,
    *,
    choices: Sequence[Scalar] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    description: str = "",
) -> T: ...
@overload
def param(
    *,
    choices: Sequence[Scalar] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    description: str = "",
) -> Any: ...
def param(
    default: Any = REQUIRED,
    *,
    choices: Sequence[Scalar] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    description: str = "",
) -> Any:
    """The default of a parameter, with limits; both bounds are allowed values. Without a default it must be given."""
    return Declared(default, tuple(choices), minimum, maximum, description, caller())


def declare(name: str, type_name: str, default: Any, where: Location) -> spec.Parameter:
    """The spec's parameter. Refuses a default that its own type, choices or limits forbid."""
    from cloudml import spec
    from cloudml.authoring.literals import plain
    from cloudml.authoring.references import Reference, Simple
    from cloudml.authoring.refusal import make

    told = default if isinstance(default, Declared) else Declared(default, (), None, None, "", where)
    value: Any = None
    if isinstance(told.default, Simple) and told.default._kind == "RunRef":
        value = spec.RunRef(**told.default._fields_)
    elif isinstance(told.default, Reference):
        raise refusal(
            "CML116",
            f"the default of parameter {name!r} is {told.default._label}",
            "give a literal, or ml.run_date()",
            told.where,
        )
    elif told.default is not REQUIRED:
        value = plain(told.default, f"the default of parameter {name!r}")
    node = make(
        spec.Parameter,
        told.where,
        f"parameter {name!r}",
        name=name,
        type=type_name,
        default=value,
        required=told.default is REQUIRED,
        choices=told.choices,
        minimum=told.minimum,
        maximum=told.maximum,
        description=told.description,
    )
    problem = spec.parameter_problem(node)
    if problem:
        raise refusal("CML116", problem, _EXAMPLE, told.where)
    return node


_EXAMPLE = "for example `min_auc: ml.Param[float] = ml.param(0.82, minimum=0, maximum=1)`"
