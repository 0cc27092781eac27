"""Finding backends: by entry point `cloudml.backends`, the ones of this distribution without looking at any other.

A broken plug-in never hides the rest: it is listed with its error, and only using it raises.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from cloudml.backend.port import Backend
from cloudml.errors import DISTRIBUTION, BackendError, BackendNotFound, MissingExtra

GROUP = "cloudml.backends"
_OWN = {"local": "cloudml_local:backend"}
"""The same as this distribution's entry points, known without a scan of every installed package's metadata."""


@dataclass(frozen=True)
class BackendInfo:
    """An installed backend as its entry point names it. `error` says why it cannot be loaded; empty when it can."""

    name: str
    description: str
    distribution: str
    installed: bool
    error: str = ""


def load_backend(name: str) -> Backend:
    """The backend of that name. Raises BackendNotFound, MissingExtra or BackendError."""
    places = {name: (_OWN[name], DISTRIBUTION)} if name in _OWN else entry_points()
    if name not in places:
        known = ", ".join(sorted({**_OWN, **places}))
        raise BackendNotFound(f"there is no backend {name!r}", hint=f"the installed backends are {known}")
    return _load(name, *places[name])


def _load(name: str, place: str, distribution: str) -> Backend:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingExtra(name, error.name or module) from error
    except Exception as error:
        message = f"backend {name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise BackendError(message, where=place, hint=f"it is part of {distribution}") from error
    if not isinstance(found, Backend):
        raise BackendError(
            f"{place} is a {type(found).__name__}, not a cloudml.backend.port.Backend", where=distribution
        )
    return found


def entry_points() -> dict[str, tuple[str, str]]:
    """Place and distribution of each backend, by name. Two distributions with the same name are refused when used."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[str, str]] = {}
    for point in entry_points(group=GROUP):
        owner = point.dist.name if point.dist is not None else "?"
        if point.name in found and found[point.name] != (point.value, owner):
            message = f"two distributions offer a backend {point.name!r}: {found[point.name][1]} and {owner}"
            raise BackendError(message, hint="uninstall one of them")
        found[point.name] = (point.value, owner)
    return found


def backends() -> list[BackendInfo]:
    """Every installed backend, by name; each is loaded, so that what is broken shows."""
    listed = []
    for name, (place, distribution) in sorted(
        {**{n: (p, DISTRIBUTION) for n, p in _OWN.items()}, **entry_points()}.items()
    ):
        try:
            description, error = _load(name, place, distribution).description, ""
        except BackendError as problem:
            description, error = "", f"{problem.message} {problem.hint}".strip()
        listed.append(BackendInfo(name, description, distribution, not error, error))
    return listed
