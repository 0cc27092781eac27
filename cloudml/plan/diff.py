"""What must change for the observed world to become the desired one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudml.plan.resource import Resource

Action = Literal["create", "update", "delete", "none"]


@dataclass(frozen=True)
class Change:
    """One resource, what happens to it, and the fields that differ (dotted paths)."""

    action: Action
    kind: str
    name: str
    fields: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"action": self.action, "kind": self.kind, "name": self.name, "fields": list(self.fields)}


@dataclass(frozen=True)
class Plan:
    """The changes of one deployment, and what the backend does by other means than its own (`notes`)."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        return any(change.action != "none" for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        return {"changes": [change.to_dict() for change in self.changes], "notes": list(self.notes)}


def diff(desired: Iterable[Resource], observed: Iterable[Resource], notes: tuple[str, ...] = ()) -> Plan:
    """Compare by kind and name; what is observed and no longer desired is deleted."""
    have = {(resource.kind, resource.name): resource for resource in observed}
    changes: list[Change] = []
    for resource in desired:
        old = have.pop((resource.kind, resource.name), None)
        changes.append(_change(resource, old))
    changes.extend(Change("delete", kind, name) for kind, name in have)
    return Plan(tuple(changes), notes)


def _change(resource: Resource, old: Resource | None) -> Change:
    if old is None:
        return Change("create", resource.kind, resource.name)
    if old.digest == resource.digest:
        return Change("none", resource.kind, resource.name)
    fields = tuple(_differences(old.document, resource.document))
    return Change("update", resource.kind, resource.name, fields)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two documents differ; lists of named objects are compared by name."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path


def _by_name(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return {item["name"]: item for item in value}
    return value
