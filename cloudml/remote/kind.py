"""A kind of resource: how a provider is asked for one, and how one is made, changed and removed.

Every function is safe to repeat: what another attempt made already is no error, nor is what is gone already. `World` is
the backend's own: the client, the place and whatever else its kinds need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cloudml.plan import Resource

World = TypeVar("World")


@dataclass(frozen=True)
class Live:
    """What a provider shows of a thing now, in the form of its resource's document.

    `changed_by` is an identity and `changed_at` ISO 8601, when the provider tells; `problem`: it needs a person.
    """

    document: dict[str, Any]
    changed_by: str = ""
    changed_at: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Owned:
    """A thing that was found by its labels; `pipeline` is the one that it belongs to, if one does."""

    name: str
    pipeline: str = ""


@dataclass(frozen=True)
class Kind(Generic[World]):
    """One kind of thing that cloudml makes.

    `read` takes the resource as desired or as last applied and tells None when there is no such thing; `update` gets
    the fields (dotted paths) that differ; `delete` a name; `owned` lists what bears the labels of the project and
    target. `replaces`: fields that cannot be changed in place. `lost`: what is gone for good when one is removed,
    `loses` tells it of one that is there. `data`: stays when data is to be kept. `deferred`: a run makes it; an apply
    brings changes to it once it is there.
    """

    name: str
    read: Callable[[World, Resource], Live | None]
    create: Callable[[World, Resource], None]
    update: Callable[[World, Resource, tuple[str, ...]], None]
    delete: Callable[[World, str], None]
    owned: Callable[[World], Iterator[Owned]]
    replaces: tuple[str, ...] = ()
    lost: str = ""
    data: bool = False
    loses: Callable[[World, str], str] | None = None
    deferred: bool = False


def reduced(live: Any, declared: Any, names: Sequence[str] = (), tags: str = "") -> Any:
    """`live` cut down to what `declared` speaks of, so that a provider's own defaults do not count as differences.

    Members of objects that are not declared vanish, at every depth. Lists of objects that all have a member of `names`
    are matched by it and put into the declared order, those that are not declared come last, or, where that member is
    `tags`, vanish; other lists of the same length are matched by position. Empty texts, lists and objects are as good
    as missing ones.
    """
    if isinstance(live, Mapping) and isinstance(declared, Mapping):
        pairs = ((key, _member(live.get(key), wanted, names, tags)) for key, wanted in declared.items())
        return {key: value for key, value in pairs if value is not None}
    if not isinstance(live, list) or not isinstance(declared, list):
        return live
    name = _name_of([*live, *declared], names)
    if name is not None:
        return _by_name(live, declared, name, names, tags)
    if len(live) == len(declared):
        return [reduced(one, other, names, tags) for one, other in zip(live, declared, strict=True)]
    return live


def _member(live: Any, wanted: Any, names: Sequence[str], tags: str) -> Any:
    if live is None or _empty(live):
        return wanted if _empty(wanted) else None
    return reduced(live, wanted, names, tags)


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_empty(one) for one in value.values())
    return bool(value in ("", []))


def _name_of(items: list[Any], names: Sequence[str]) -> str | None:
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    return next((name for name in names if all(name in item for item in items)), None)


def _by_name(live: list[Any], declared: list[Any], name: str, names: Sequence[str], tags: str) -> list[Any]:
    have = {item[name]: item for item in live}
    matched = [reduced(have.pop(item[name]), item, names, tags) for item in declared if item[name] in have]
    others = [] if name == tags else [have[key] for key in sorted(have, key=str)]
    return [*matched, *others]
