"""Saying no: what is wrong, on which line, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from cloudml.authoring.location import Location, caller
from cloudml.errors import AuthoringError

if TYPE_CHECKING:
    from cloudml.spec import Node

NodeT = TypeVar("NodeT", bound="Node")


def refusal(code: str, message: str, hint: str = "", where: Location | None = None) -> AuthoringError:
    """The error to raise; `where` is the line of the author's that called us unless another is given."""
    return AuthoringError(code, str(where or caller()), message, hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'auc'?" for a near miss, else what there is."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean {near[0]!r}? There is: {', '.join(names)}"
    return f"there is: {', '.join(names)}" if names else "there is none"


def make(node: type[NodeT], where: Location | None, subject: str, /, **fields: Any) -> NodeT:
    """Make a spec node. What its validation refuses becomes an AuthoringError on the author's line."""
    from pydantic import ValidationError

    try:
        return node(**fields)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise refusal("CML122", f"{subject}: {problems}", _shape_hint(error.errors()), where) from None


def _problem(item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"])
    text = str(item["msg"]).removeprefix("Value error, ")
    given = repr(item.get("input"))
    given = given if len(given) <= 60 else f"{given[:57]}..."
    return f"{path} = {given}: {text}" if path else text


def _shape_hint(items: Iterable[Any]) -> str:
    if any(item["loc"] and item["loc"][-1] == "name" and item["type"] == "string_pattern_mismatch" for item in items):
        return "a name is a letter followed by at most 62 letters, digits, '_' or '-'"
    return ""
