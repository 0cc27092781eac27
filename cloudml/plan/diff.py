"""What must change for the observed world to become the desired one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudml.plan.observed import Observed, state_of
from cloudml.plan.resource import Resource, digest_of

Action = Literal["create", "update", "replace", "delete", "none"]


@dataclass(frozen=True)
class Change:
    """One resource and what happens to it.

    `fields` (dotted paths) differ between the world and what is desired; `drift` are those that somebody else changed
    since cloudml applied them, `changed_by` who, when the provider tells. `lost`: what cannot be undone. `deferred`:
    no apply makes it; the pipeline's next run does.
    """

    action: Action
    kind: str
    name: str
    fields: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    changed_by: str = ""
    changed_at: str = ""
    lost: str = ""
    problem: str = ""
    deferred: bool = False

    @property
    def acts(self) -> bool:
        """Whether an apply has something to do for it."""
        return self.action != "none" and not self.deferred

    def to_dict(self) -> dict[str, Any]:
        """JSON types; what is empty is left out."""
        found: dict[str, Any] = {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "fields": list(self.fields),
        }
        more = {
            "drift": list(self.drift),
            "changed_by": self.changed_by,
            "changed_at": self.changed_at,
            "lost": self.lost,
            "problem": self.problem,
            "deferred": self.deferred,
        }
        return found | {key: value for key, value in more.items() if value}


@dataclass(frozen=True)
class Plan:
    """The changes of one deployment, and what the backend does by other means than its own (`notes`).

    `base` is the state of the world that it was made for, `desired` what it leads to: an apply checks both.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    base: str = ""
    desired: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else there is to know, in JSON: the cost, the version of the provider's model."""

    @property
    def has_changes(self) -> bool:
        """Whether an apply has something to do."""
        return any(change.acts for change in self.changes)

    @property
    def irreversible(self) -> tuple[Change, ...]:
        """What cannot be undone."""
        return tuple(change for change in self.changes if change.action in ("delete", "replace") and change.lost)

    def to_dict(self) -> dict[str, Any]:
        """JSON types, the facts among them."""
        return {
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
            "base": self.base,
            "desired": self.desired,
            **self.facts,
        }


def desired_state(resources: Iterable[Resource]) -> str:
    """One digest for all that is desired."""
    return digest_of(sorted([one.kind, one.name, one.digest] for one in resources))


def diff(
    desired: Iterable[Resource],
    observed: Iterable[Observed],
    notes: tuple[str, ...] = (),
    *,
    prune: bool = False,
    deferred: Collection[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Plan:
    """Compare by kind and name. What is there and no longer desired is deleted.

    But what would be lost for good with it stays, with a note, unless `prune`. `deferred` are the kinds that a run
    makes: to create one of them is no work of an apply.
    """
    wanted, seen = list(desired), list(observed)
    have = {(one.live.kind, one.live.name): one for one in seen}
    changes = [_change(one, have.pop((one.kind, one.name), None), deferred) for one in wanted]
    kept: list[str] = []
    for (kind, name), old in have.items():
        if old.lost and not prune:
            kept.append(f"{kind} {name} is declared no more and stays, because removing it loses {old.lost}")
            continue
        changes.append(_marked(Change("delete", kind, name, lost=old.lost), old))
    return Plan(tuple(changes), (*notes, *kept), state_of(seen), desired_state(wanted), facts or {})


def _change(resource: Resource, old: Observed | None, deferred: Collection[str]) -> Change:
    if old is None:
        return Change("create", resource.kind, resource.name, deferred=resource.kind in deferred)
    if old.live.digest == resource.digest:
        return Change("none", resource.kind, resource.name, problem=old.problem)
    fields = tuple(differences(old.live.document, resource.document))
    replaced = any(_touches(one, path) for one in fields for path in old.replaces)
    change = Change("replace" if replaced else "update", resource.kind, resource.name, fields)
    return _marked(change, old)


def _marked(change: Change, old: Observed) -> Change:
    """With what the world tells of who changed it."""
    drift: tuple[str, ...] = ()
    if old.declared is not None and old.declared.digest != old.live.digest:
        drift = tuple(differences(old.declared.document, old.live.document))
    return Change(
        change.action,
        change.kind,
        change.name,
        change.fields,
        drift,
        old.changed_by if drift else "",
        old.changed_at if drift else "",
        old.lost if change.action in ("delete", "replace") else "",
        old.problem,
    )


def _touches(field_path: str, path: str) -> bool:
    return field_path == path or field_path.startswith(f"{path}.") or path.startswith(f"{field_path}.")


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two documents differ; lists of named objects are compared by name."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path


_NAMES = ("name", "Name", "Key")


def _by_name(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for key in _NAMES:
            if all(key in item for item in value):
                return {item[key]: item for item in value}
    return value
