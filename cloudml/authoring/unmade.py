"""Resources that a module declares beside its functions, in a job that runs but one of those: made when looked at.

`SERVICE = ml.Endpoint("churn")` beside a step's function would cost the step's process the import of pydantic, which
the image of a job need not even have. Where pipelines are built nothing is put off: what is wrong is refused on its
line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from cloudml.runtime.function import is_loading

P = ParamSpec("P")
R = TypeVar("R")


def in_a_job_when_needed(maker: Callable[P, R]) -> Callable[P, R]:
    """The same maker; while a job imports a function it gives something that makes the node at the first look."""

    @functools.wraps(maker)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", Unmade(maker, args, kwargs)) if is_loading() else maker(*args, **kwargs)

    return made


class Unmade:
    """Stands for what `maker` would make; its attributes, its class and its equality are those of the node."""

    def __init__(self, maker: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.__dict__["_call"] = (maker, args, kwargs)

    @functools.cached_property
    def _node(self) -> Any:
        maker, args, kwargs = self.__dict__["_call"]
        return maker(*(_whole(one) for one in args), **{name: _whole(one) for name, one in kwargs.items()})

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._node)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._node == _whole(other))

    def __hash__(self) -> int:
        return hash(self._node)

    def __repr__(self) -> str:
        return repr(self._node)


def _whole(given: Any) -> Any:
    """A node, also inside of a list: `ml.canary([100], guards=[ml.guard(...)])`."""
    if type(given) is Unmade:
        return given._node
    return type(given)(_whole(one) for one in given) if type(given) in (list, tuple) else given
