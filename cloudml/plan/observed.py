"""The world as a plan sees it: what is there, what was declared of it, and who touched it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cloudml.plan.resource import Resource, digest_of

if TYPE_CHECKING:
    from cloudml.plan.diff import Plan


@dataclass(frozen=True)
class Observed:
    """One thing that exists.

    `live` is what the world shows, reduced to the fields that a declaration speaks of, so that it compares with what
    is desired. `declared` is what was applied last, None when that is not known. `replaces` are the fields (dotted
    paths) that the provider cannot change in place. `lost` says what goes with it for good when it is removed; empty
    when it can be made again. `problem`: an earlier apply was cut off here, or it is in a state that needs a person.
    """

    live: Resource
    declared: Resource | None = None
    changed_by: str = ""
    changed_at: str = ""
    replaces: tuple[str, ...] = ()
    lost: str = ""
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def of_dict(cls, document: Mapping[str, Any]) -> Observed:
        """The inverse. Raises KeyError or TypeError for another document."""
        declared = document["declared"]
        return cls(
            live=Resource(**document["live"]),
            declared=None if declared is None else Resource(**declared),
            **{name: document[name] for name in ("changed_by", "changed_at", "lost", "problem")},
            replaces=tuple(document["replaces"]),
        )


def state_of(observed: Iterable[Observed]) -> str:
    """One digest for all that was seen: a plan holds for this state of the world only."""
    return digest_of(sorted([one.live.kind, one.live.name, one.live.digest] for one in observed))


def after(plan: Plan, resources: Sequence[Resource], observed: Sequence[Observed]) -> list[Observed]:
    """The world as it is once a plan is applied, as far as that is known without looking at it again."""
    old = {(one.live.kind, one.live.name): one for one in observed}
    for change in plan.changes:
        if change.action == "delete":
            old.pop((change.kind, change.name), None)
    made = {(one.kind, one.name): one for one in resources}
    for change in plan.changes:
        key = (change.kind, change.name)
        if change.acts and key in made:
            before = old.get(key)
            kept = {} if before is None else {"replaces": before.replaces, "lost": before.lost}
            old[key] = Observed(made[key], made[key], **kept)  # type: ignore[arg-type]
    return list(old.values())
