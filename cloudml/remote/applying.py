"""Make the world what was planned: in the order of the kinds, each change safe to repeat, all of it in a journal.

Killed anywhere, the next apply looks at the world again and does what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from cloudml.errors import BackendError, CloudmlError, Refused
from cloudml.plan import Change, Observed, Plan, Resource, desired_state, diff, state_of
from cloudml.remote import job_code, observing, state
from cloudml.remote.journal import Journal
from cloudml.remote.parallel import PARALLEL
from cloudml.remote.state import Applied, State, Step
from cloudml.remote.world import World


def apply(world: World, resources: Sequence[Resource], plan: Plan) -> None:
    """Bring about the plan's changes. A plan without any writes nothing but the end of a journal that was cut off.

    Raises Refused: CML530 when the code or the world is not what the plan was made for, CML531 when somebody else
    applies, CML532 when the prefix is another's, CML534 when something with our name is not ours. BackendError
    (CML535) when a change fails; what was done until then stands, and another apply goes on.
    """
    if plan.desired != desired_state(resources):
        raise Refused(
            "the code compiles to something else than what the plan was made for", code="CML530", hint="plan again"
        )
    known = observing.remembered(world, resources)
    seen = observing.look(world, resources, known)
    if state_of(seen) != plan.base:
        raise _stale(plan, resources, seen)
    _refuse_foreign(seen)
    changes = [change for change in plan.changes if _acts(world, change)]
    name = world.cloud.name_of(resources)
    _bring(world, name, known, changes, resources, _kept(world, resources, known, plan))


def ensure(world: World, resources: Sequence[Resource], kinds: Collection[str]) -> tuple[Change, ...]:
    """Make what is declared of these kinds, and remove nothing; the changes that this took.

    Raises what `apply` raises, but CML530.
    """
    known = observing.remembered(world, resources)
    wanted = [one for one in resources if one.kind in kinds]
    seen = observing.look(world, resources, known, kinds)
    changes = [change for change in diff(wanted, seen).changes if _acts(world, change)]
    if changes:
        _refuse_foreign(seen)
        _bring(world, world.cloud.name_of(resources), known, changes, wanted, known.applied)
    return tuple(changes)


def _acts(world: World, change: Change) -> bool:
    """Whether an apply has something to do: what a run makes it leaves to the run."""
    return change.action != "none" and not (change.action == "create" and world.cloud.kinds[change.kind].deferred)


def _stale(plan: Plan, resources: Sequence[Resource], seen: Sequence[Observed]) -> Refused:
    """What is otherwise than when the plan was made."""
    now = {(one.kind, one.name): one for one in diff(resources, seen).changes}
    then = {(one.kind, one.name): one for one in plan.changes}
    moved = []
    for key in dict.fromkeys([*then, *now]):
        old, new = then.get(key), now.get(key)
        if old is None or new is None or (old.action, old.fields) != (new.action, new.fields):
            was = "not there" if old is None else f"to {old.action}" if old.action != "none" else "as declared"
            moved.append(f"{' '.join(key)} ({was} then)")
    what = ", ".join(moved) or "a field that was to be changed anyway"
    return Refused(
        f"the world is not what the plan was made for: {what}", code="CML530", hint="plan again, and look at that plan"
    )


def _refuse_foreign(seen: Sequence[Observed]) -> None:
    for one in seen:
        if one.declared is None and observing.NOT_OURS in one.problem:
            raise Refused(
                f"{one.live.kind} {one.live.name}: {one.problem}",
                code="CML534",
                hint="cloudml never takes over what it did not make: rename one of the two, or remove the other",
            )


def _kept(world: World, resources: Sequence[Resource], known: State, plan: Plan) -> tuple[Applied, ...]:
    """What was applied, is declared no more, and stays: because removing it would lose something, or another
    pipeline needs it. It is remembered, so that a later plan still knows of it."""
    declared = {(one.kind, one.name) for one in resources}
    gone = {(change.kind, change.name) for change in plan.changes if change.action == "delete"}
    return tuple(
        one
        for one in known.applied
        if (one.kind, one.name) not in declared | gone and one.kind != job_code.KIND and one.kind in world.cloud.kinds
    )


def _bring(
    world: World,
    name: str,
    known: State,
    changes: Sequence[Change],
    resources: Sequence[Resource],
    kept: Sequence[Applied],
) -> None:
    """Carry out changes under a journal. `kept`: what is remembered besides the resources afterwards.

    Without changes there is nothing to write, unless an earlier apply was cut off just before it could say that all
    stands: its journal is ended.
    """
    if not changes and known.pending is None:
        return
    state.claim(world)
    by_name = {(one.kind, one.name): one for one in resources}
    steps = {change: _step(change, by_name) for change in changes}
    with Journal(world, name, known, [*steps.values()]) as journal:
        for wave in _waves(world, changes):
            _carry_out(world, journal, wave, steps, by_name)
        made = {(one.kind, one.name): one for one in kept} | {
            (one.kind, one.name): Applied.of(one) for one in resources
        }
        journal.end([*made.values()])


def _step(change: Change, resources: dict[tuple[str, str], Resource]) -> Step:
    resource = resources.get((change.kind, change.name))
    digest = resource.digest if resource is not None and change.action != "delete" else ""
    return Step(change.action, change.kind, change.name, digest)


def _waves(world: World, changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes of one kind, which do not need one another: made in the table's order, then removed in reverse."""
    makes = [change for change in changes if change.action != "delete"]
    goes = [change for change in changes if change.action == "delete"]
    for kind in world.cloud.kinds:
        if wave := [change for change in makes if change.kind == kind]:
            yield wave
    for kind in reversed([*world.cloud.kinds]):
        if wave := [change for change in goes if change.kind == kind]:
            yield wave


def _carry_out(
    world: World,
    journal: Journal,
    wave: Sequence[Change],
    steps: dict[Change, Step],
    resources: dict[tuple[str, str], Resource],
) -> None:
    """Do a wave's changes side by side, note those that stand, then tell of the first that failed."""
    journal.check()
    futures = _side_by_side(world, wave, resources)
    stands = [change for change in wave if futures[change].exception() is None]
    made = [Applied.of(resources[change.kind, change.name]) for change in stands if change.action != "delete"]
    if stands:
        journal.done([steps[change] for change in stands], made)
    for change in wave:
        error = futures[change].exception()
        if isinstance(error, CloudmlError):
            raise _failed(change, error, steps, journal) from error
        if error is not None:
            raise error


def _side_by_side(
    world: World, wave: Sequence[Change], resources: dict[tuple[str, str], Resource]
) -> dict[Change, Future[None]]:
    """Every change of a wave, ended. Whoever interrupts waits only for what has begun."""
    pool = ThreadPoolExecutor(min(PARALLEL, len(wave)), thread_name_prefix="apply")
    try:
        futures = {change: pool.submit(_do, world, change, resources) for change in wave}
        wait(futures.values())
    finally:
        pool.shutdown(cancel_futures=True)
    return futures


def _do(world: World, change: Change, resources: dict[tuple[str, str], Resource]) -> None:
    kind = world.cloud.kinds[change.kind]
    if change.action in ("delete", "replace"):
        kind.delete(world, change.name)
    if change.action in ("create", "replace"):
        kind.create(world, resources[change.kind, change.name])
    if change.action == "update":
        kind.update(world, resources[change.kind, change.name], change.fields)


_DOING = {"create": "made", "update": "updated", "replace": "replaced", "delete": "removed"}


def _failed(change: Change, error: CloudmlError, steps: dict[Change, Step], journal: Journal) -> BackendError:
    done = set(journal.stands)
    stands = [f"{one.kind} {one.name}" for one in steps if steps[one] in done]
    left = [f"{one.kind} {one.name}" for one in steps if steps[one] not in done]
    advice = f"{error.hint}; then " if error.hint else ""
    return BackendError(
        f"{change.kind} {change.name} could not be {_DOING[change.action]}: {error.message}. "
        f"Done: {_counted(stands)}. Left: {_counted(left)}",
        code="CML535",
        where=error.where,
        hint=f"{advice}apply again: it goes on from here",
    )


def _counted(names: Sequence[str]) -> str:
    """The first few, and how many there are besides."""
    if not names:
        return "nothing"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
