"""The world as it is: every resource that is declared, or was, read from the cloud at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloudml.plan import Observed, Resource, differences
from cloudml.remote import job_code, state
from cloudml.remote.journal import Writer
from cloudml.remote.kind import Kind, Live
from cloudml.remote.parallel import in_parallel
from cloudml.remote.state import Applied, Pending, State, Step
from cloudml.remote.world import World

NOT_OURS = "it is there already, and does not belong to"


def observe(world: World, resources: Sequence[Resource]) -> list[Observed]:
    """What exists of these, and what was applied for the same pipeline and is declared no more. Only reads.

    Raises CloudError, StateError, Refused (CML532).
    """
    return look(world, resources, remembered(world, resources))


def remembered(world: World, resources: Sequence[Resource]) -> State:
    """The state of the pipeline that these belong to. Raises Refused (CML532) when the prefix is another's."""
    name = world.cloud.name_of(resources)
    with ThreadPoolExecutor(1) as pool:
        owner = pool.submit(state.check_owner, world)
        found = state.read(world, name)
        owner.result()
    return found


def look(
    world: World, resources: Sequence[Resource], known: State, kinds: Collection[str] | None = None
) -> list[Observed]:
    """The same against a state that was read; with `kinds` only these, and nothing that is declared no more."""
    wanted = [one for one in resources if kinds is None or one.kind in kinds]
    pairs: list[tuple[Resource | None, Applied | None]] = [(one, known.of(one.kind, one.name)) for one in wanted]
    if kinds is None:
        pairs += [(None, old) for old in _undeclared(world, resources, known)]
    found = in_parallel(lambda pair: _observe(world, *pair, known.pending), pairs)
    return [one for one in found if one is not None]


def _undeclared(world: World, resources: Sequence[Resource], known: State) -> list[Applied]:
    """What was applied and is declared no more, unless another pipeline of the target declares it too.

    The code of jobs stays where it is: old runs may need it again.
    """
    declared = {(one.kind, one.name) for one in resources}
    left = [one for one in known.applied if (one.kind, one.name) not in declared]
    left = [one for one in left if one.kind in world.cloud.kinds and one.kind != job_code.KIND]
    if not left:
        return []
    shared = {
        (one.kind, one.name) for other in state.others(world, world.cloud.name_of(resources)) for one in other.applied
    }
    return [one for one in left if (one.kind, one.name) not in shared]


def _observe(world: World, resource: Resource | None, old: Applied | None, pending: Pending | None) -> Observed | None:
    """One thing as it is; None when it is not there. Asked for are the fields of now and those of before."""
    asked = resource or (old.resource() if old else None)
    assert asked is not None
    kind = world.cloud.kinds[asked.kind]
    if asked.kind == job_code.KIND:
        return _code(world, asked, old)
    if resource is not None and old is not None and old.digest != resource.digest:
        asked = Resource(asked.kind, asked.name, _union(resource.document, old.document, world.cloud.tag), "")
    live = kind.read(world, asked)
    if live is None:
        return None
    seen = Resource.of(asked.kind, asked.name, live.document)
    declared = old.resource() if old else None
    if _made_by(pending, seen):
        declared = seen
    return Observed(
        seen,
        declared,
        live.changed_by,
        live.changed_at,
        kind.replaces,
        _lost(world, kind, resource, seen),
        _problem(world, asked, live, old, pending),
    )


def _code(world: World, resource: Resource, old: Applied | None) -> Observed | None:
    """Job code: as declared when its folder is there; else what was there before, as far as it is remembered."""
    if world.cloud.kinds[job_code.KIND].read(world, resource) is not None:
        return Observed(resource, resource)
    if old is None or old.digest == resource.digest:
        return None
    before = Resource(old.kind, old.name, job_code.recalled(old.document, resource.document), old.digest)
    return Observed(before, before)


def _union(new: Any, old: Any, tag: str) -> Any:
    """The new document, and what only the old one speaks of."""
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return {**{key: value for key, value in old.items() if key not in new}, **{
            key: _union(value, old[key], tag) if key in old else value for key, value in new.items()
        }}  # fmt: skip
    if tag and _are_tags(new, tag) and _are_tags(old, tag):
        have = {one[tag] for one in new}
        return [*new, *(one for one in old if one[tag] not in have)]
    return new


def _are_tags(value: Any, tag: str) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) and tag in one and len(one) == 2 for one in value)


def _made_by(pending: Pending | None, seen: Resource) -> bool:
    """Whether an apply that was cut off made it what it is: nobody else's doing then."""
    return pending is not None and any(
        (step.kind, step.name, step.digest) == (seen.kind, seen.name, seen.digest) for step in pending.changes
    )


def _lost(world: World, kind: Kind[Any], resource: Resource | None, seen: Resource) -> str:
    """What goes with it for good, if it is to go."""
    goes = resource is None or _replaced(kind, differences(seen.document, resource.document))
    if not goes:
        return ""
    return (kind.loses(world, seen.name) if kind.loses else "") or kind.lost


def _replaced(kind: Kind[Any], fields: Iterable[str]) -> bool:
    return any(one == path or one.startswith(f"{path}.") for one in fields for path in kind.replaces)


def _problem(world: World, asked: Resource, live: Live, old: Applied | None, pending: Pending | None) -> str:
    if foreign(world, asked, live, old):
        return f"{NOT_OURS} project {world.place.project}, target {world.place.target}"
    if live.problem:
        return live.problem
    if pending is not None and any((step.kind, step.name) == (asked.kind, asked.name) for step in _unsure(pending)):
        return cut_off(pending)
    return ""


def _unsure(pending: Pending) -> tuple[Step, ...]:
    """Where an apply was cut off: at what it had not noted as done, or, with all done, before it could say so."""
    return pending.open() or tuple(step for step in pending.changes if step.action != "delete")[-1:]


def cut_off(pending: Pending) -> str:
    """An apply that did not come to its end, in words; or one that is still at it."""
    if Writer.here().alive(pending):
        return f"{pending.by or 'somebody'} applies since {pending.at}, and has not come to this yet"
    why = f": {pending.failed}" if pending.failed else ""
    return f"the apply of {pending.by or 'somebody'} at {pending.at} was cut off here{why}"


def foreign(world: World, asked: Resource, live: Live, old: Applied | None) -> bool:
    """Whether it has our name, but neither our labels nor a memory of us."""
    cloud = world.cloud
    declared, shown = cloud.labels(asked.document), cloud.labels(live.document)
    return old is None and cloud.ours(declared, world.place) and not cloud.ours(shown, world.place)
