"""Finding backends and mock clouds: by entry points `cloudml.backends` and `cloudml.mocks`, the ones of this
distribution without looking at any other.

A broken plug-in never hides the rest: it is listed with its error, and only using it raises.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from cloudml.backend.port import Backend
from cloudml.errors import DISTRIBUTION, BackendError, BackendNotFound, MissingExtra, MockError
from cloudml.mocks.port import MockCloud

GROUP = "cloudml.backends"
MOCKS = "cloudml.mocks"
_OWN = {"local": "cloudml_local:backend", "sagemaker": "cloudml_sagemaker:backend"}
_OWN_MOCKS = {"sagemaker": "cloudml_sagemaker.mock.port:mock", "vertex": "cloudml_vertex.mock.port:mock"}
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


def entry_points(group: str = GROUP) -> dict[str, tuple[str, str]]:
    """Place and distribution of each backend, by name. Two distributions with the same name are refused when used."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[str, str]] = {}
    for point in entry_points(group=group):
        owner = point.dist.name if point.dist is not None else "?"
        if point.name in found and found[point.name] != (point.value, owner):
            message = f"two distributions offer {group} {point.name!r}: {found[point.name][1]} and {owner}"
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


@dataclass(frozen=True)
class MockInfo:
    """An installed mock cloud. `error` says why it cannot be started; empty when it can."""

    name: str
    description: str
    distribution: str
    error: str = ""


def load_mock(name: str) -> MockCloud:
    """The mock cloud of that name. Raises MockError, MissingExtra or BackendError."""
    places = {name: (_OWN_MOCKS[name], DISTRIBUTION)} if name in _OWN_MOCKS else entry_points(MOCKS)
    if name not in places:
        known = ", ".join(sorted({**_OWN_MOCKS, **places}))
        raise MockError(f"there is no mock {name!r}", hint=f"the installed mocks are {known}")
    place, distribution = places[name]
    module, _, attribute = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        message = f"mock {name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise BackendError(message, where=place, hint=f"it is part of {distribution}") from error
    if not isinstance(found, MockCloud):
        raise BackendError(f"{place} is a {type(found).__name__}, not a cloudml.mocks.port.MockCloud")
    return found


def mocks() -> list[MockInfo]:
    """Every installed mock cloud, by name, and what its extra lacks."""
    own = {name: (place, DISTRIBUTION) for name, place in _OWN_MOCKS.items()}
    listed = []
    for name, (_, distribution) in sorted({**own, **entry_points(MOCKS)}.items()):
        try:
            cloud = load_mock(name)
            missing = next((one for one in cloud.modules if not _is_there(one)), None)
            error = "" if missing is None else f"{missing} is missing: {MissingExtra(cloud.extra, missing).hint}"
            listed.append(MockInfo(name, cloud.description, distribution, error))
        except BackendError as problem:
            listed.append(MockInfo(name, "", distribution, f"{problem.message} {problem.hint}".strip()))
    return listed


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it would lie in is missing
        return False
