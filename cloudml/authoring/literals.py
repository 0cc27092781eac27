"""From what the author wrote to the spec's values."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Any

from cloudml.authoring.references import Condition, Reference, described
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml.authoring.context import Build
    from cloudml.spec import Value

_JSON = (bool, int, float, str, type(None))


def value(given: Any, build: Build, use: str) -> Value:
    """The spec's value of a reference or a literal; `use` says in messages where it stands."""
    if isinstance(given, Reference):
        return given.node(build)
    if isinstance(given, Condition):
        raise refusal(
            "CML125", f"{use} takes a value, and this is a condition", "decide with `with ml.when(condition):`"
        )
    from cloudml.spec import LiteralValue

    return LiteralValue(value=plain(given, use))


def plain(given: Any, use: str) -> Any:
    """A literal as JSON types: tuples become lists, paths text, numpy's scalars numbers. Refuses anything else."""
    if isinstance(given, _JSON):
        if isinstance(given, float) and not math.isfinite(given):
            raise refusal(
                "CML110",
                f"{use}: {given!r} is not a finite number, and JSON has no other",
                "leave it out, or choose a number",
            )
        return given if type(given) in _JSON else _base(given)
    if isinstance(given, Reference):
        message = f"{use}: {given._label} stands inside a list or dict, where its value cannot be put in later"
        raise refusal(
            "CML110",
            message,
            "give each output to a parameter of its own; for the outputs of a map, use ml.collect(output)",
        )
    if isinstance(given, pathlib.PurePath):
        return given.as_posix()
    if isinstance(given, (list, tuple)):
        return [plain(one, use) for one in given]
    if isinstance(given, dict):
        return {_key(key, use): plain(one, use) for key, one in given.items()}
    item = getattr(given, "item", None)
    if callable(item) and not getattr(given, "shape", ()):
        return plain(item(), use)
    message = f"{use}: {described(given)} cannot be written into a pipeline"
    raise refusal(
        "CML110", message, "pass text, numbers, lists or dicts; make anything else inside a step and return it"
    )


def _base(given: Any) -> Any:
    """Subclasses of str, int and float (enumerations among them) as the plain type."""
    return (
        next(kind(given) for kind in (int, float) if isinstance(given, kind))
        if not isinstance(given, str)
        else str.__str__(given)
    )


def _key(key: Any, use: str) -> str:
    if isinstance(key, str):
        return key
    raise refusal("CML110", f"{use}: the key {described(key)} is not text, as JSON demands", f"write {str(key)!r}")
