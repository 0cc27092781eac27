"""Python functions by name, `module:function`: what stands for a cloud's functions (Lambda) in a mock."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloudml.errors import MockError


def loaded(functions: Mapping[str, Callable[..., Any] | str]) -> dict[str, Callable[..., Any]]:
    """Every function itself; a text is imported, the working folder included. Raises MockError."""
    return {name: _load(name, one) if isinstance(one, str) else one for name, one in functions.items()}


def _load(name: str, place: str) -> Callable[..., Any]:
    module, colon, attribute = place.partition(":")
    if not (module and colon and attribute):
        raise MockError(f"{place!r} is no place of a function", where=name, hint="write NAME=module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise MockError(
            f"{place} cannot be imported: {problem}", where=name, hint="it must be importable from here"
        ) from error
    if not callable(found):
        raise MockError(f"{place} is a {type(found).__name__}, not a function", where=name, hint="name a function")
    handler: Callable[..., Any] = found
    return handler
