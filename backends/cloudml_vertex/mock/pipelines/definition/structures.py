"""Concat and IfPresent: arguments written as JSON, which make up one text, several, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import Any

DEEPEST = 100


class PlaceholderError(Exception):
    """A placeholder that means nothing here; the text says which."""


def structure(text: str) -> dict[str, Any] | None:
    """The structure that a text holds; None for any other text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and len(found) == 1 and next(iter(found)) in _KINDS else None


def unfolded(text: str, present: Set[str]) -> list[str]:
    """The texts of an argument, given the inputs that are present. Raises PlaceholderError for a bad structure."""
    found = structure(text)
    return [text] if found is None else _unfold(found, present, 0)


def texts(text: str) -> Iterator[str]:
    """Every text that an argument may turn into, whatever is present. Raises PlaceholderError."""
    found = structure(text)
    if found is None:
        yield text
        return
    for condition in (frozenset[str](), _Everything()):
        yield from _unfold(found, condition, 0)


def inputs_asked(text: str) -> Iterator[str]:
    """The inputs whose presence an argument asks for."""
    yield from _asked(structure(text))


class _Everything(frozenset[str]):
    """All names."""

    def __contains__(self, _: object) -> bool:
        return True


def _asked(found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for item in found:
            yield from _asked(item)
    elif isinstance(found, dict):
        for key, item in found.items():
            if key == "IfPresent" and isinstance(item, dict) and isinstance(item.get("InputName"), str):
                yield item["InputName"]
            yield from _asked(item)


def _unfold(found: Any, present: Set[str], depth: int) -> list[str]:
    if depth > DEEPEST:
        raise PlaceholderError(f"Concat and IfPresent are nested at most {DEEPEST} deep")
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return [one for item in found for one in _unfold(item, present, depth + 1)]
    if isinstance(found, dict) and len(found) == 1:
        (kind, inner), *_ = found.items()
        if kind in _KINDS:
            return _KINDS[kind](inner, present, depth + 1)
    raise PlaceholderError(f"{json.dumps(found)[:80]} is neither a text nor Concat nor IfPresent")


def _concat(inner: Any, present: Set[str], depth: int) -> list[str]:
    if not isinstance(inner, list):
        raise PlaceholderError("Concat takes a list")
    return ["".join(_unfold(inner, present, depth))]


def _if_present(inner: Any, present: Set[str], depth: int) -> list[str]:
    known = isinstance(inner, dict) and isinstance(inner.get("InputName"), str) and "Then" in inner
    if not known or not set(inner) <= {"InputName", "Then", "Else"}:
        raise PlaceholderError("IfPresent takes InputName, Then and Else")
    if inner["InputName"] in present:
        return _unfold(inner["Then"], present, depth)
    return [] if inner.get("Else") is None else _unfold(inner["Else"], present, depth)


_KINDS = {"Concat": _concat, "IfPresent": _if_present}
