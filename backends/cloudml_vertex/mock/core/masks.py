"""Field masks: what an Update changes, and what a read gives (https://google.aip.dev/134, 157)."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Any

from cloudml_vertex.mock.core.errors import invalid

Document = dict[str, Any]


def apply(document: Document, patch: Document, paths: Sequence[str] | None, allowed: Collection[str]) -> Document:
    """A copy of `document` with the masked fields of `patch`; one that the patch lacks is cleared.

    `*` or no mask means every allowed field that the patch has. A path below an allowed field is allowed. Raises
    INVALID_ARGUMENT for a path that is unknown or cannot be changed.
    """
    changed = copy.deepcopy(document)
    for path in [name for name in allowed if name in patch] if not paths or list(paths) == ["*"] else paths:
        plain = _snake(path)
        if plain not in allowed and not any(plain.startswith(f"{one}.") for one in allowed):
            raise invalid(f"update_mask: {path!r} cannot be updated; it may name: {', '.join(sorted(allowed))}.")
        _copy(changed, patch, plain.split("."))
    return changed


def only(document: Document, paths: Sequence[str]) -> Document:
    """The document with nothing but the named fields. `name` is not added by itself, `*` means all."""
    if "*" in paths:
        return document
    found: Document = {}
    for path in paths:
        _copy(found, document, _snake(path).split("."))
    return {key: value for key, value in found.items() if value is not None}


def _copy(target: Document, source: Any, parts: Sequence[str]) -> None:
    head, rest = parts[0], parts[1:]
    inside = source.get(head) if isinstance(source, dict) else None
    if not rest:
        if inside is None:
            target.pop(head, None)
        else:
            target[head] = copy.deepcopy(inside)
        return
    held = target.get(head)
    if not isinstance(held, dict):
        if inside is None:
            return
        held = target[head] = {}
    _copy(held, inside, rest)


def _snake(path: str) -> str:
    """REST clients write paths in camelCase."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)
