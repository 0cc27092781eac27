"""Remove all that cloudml made for a project's target: found by tags and by the mark of the prefix, never by names.

What goes first cannot make anew what went before: schedules, then runs, then what they made, then pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cloudml.backend.records import Destroyed, Removed
from cloudml.errors import CloudmlError
from cloudml.remote import state
from cloudml.remote.journal import Writer
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker.gaps import MockGap
from cloudml_sagemaker.resources import executions, leftovers
from cloudml_sagemaker.resources.kind import Kind, Owned, World
from cloudml_sagemaker.resources.table import KINDS

_FIRST = ("schedule", "schedule_group")
"""These start runs."""

_BEFORE_PIPELINES = ("monitor", "endpoint")
_NEVER = ("job_code",)
"""Objects in S3, which go with their folders."""

_PATIENT = executions.Patience()

HISTORY = (
    "AWS keeps the records of processing, training and tuning jobs, and their log streams in CloudWatch Logs "
    "(/aws/sagemaker/…), for good or as long as the log group says"
)


@dataclass(frozen=True)
class Stage:
    """One kind of thing to remove: who finds it, who removes it."""

    name: str
    owned: Callable[[World], Iterable[Owned]]
    delete: Callable[[World, str], None]
    data: bool = False


def destroy(world: World, dry_run: bool, keep_data: bool, patience: executions.Patience = _PATIENT) -> Destroyed:
    """Remove it, stage by stage; what cannot be removed is told in its place, and the rest goes on.

    With `keep_data` the registry, and what runs and endpoints wrote to S3, stay. Raises Refused: CML532 when the prefix
    belongs to another target, CML531 while somebody applies, who would make anew what has just gone.
    """
    marked = state.check_owner(world)
    if marked and not dry_run:
        _refuse_busy(world)
    removed: list[Removed] = []
    for stage in _stages(world, patience):
        if not (keep_data and stage.data):
            removed += _run(world, stage, dry_run)
    kept = [HISTORY]
    if keep_data:
        kept.append("the models of the registry and the data of runs and endpoints stay, as was asked for")
    folders = leftovers.CODE if keep_data else (*leftovers.CODE, *leftovers.DATA)
    if marked:
        removed += _objects(world, folders, dry_run)
    elif leftovers.piles(world, folders):
        kept.append(f"{world.place.base}/ bears no mark of this target ({state.OWNER}): its objects are left alone")
    if marked and not keep_data and not any(one.problem for one in removed):
        removed += _mark(world, dry_run)
    return Destroyed(tuple(removed), tuple(kept), dry_run)


def _refuse_busy(world: World) -> None:
    for name, found in state.every(world):
        if found.pending is not None and Writer.here().alive(found.pending):
            raise state.moved(name, found)


def _stages(world: World, patience: executions.Patience) -> Iterator[Stage]:
    yield from (_of(KINDS[name]) for name in _FIRST)
    yield Stage("run", _live_runs, lambda world, arn: executions.stop_one(world, arn, patience))
    yield _of(KINDS["monitor"])
    yield Stage("monitor_definition", leftovers.owned_definitions, leftovers.delete_definition)
    yield _of(KINDS["endpoint"])
    yield Stage("endpoint_config", leftovers.owned_configs, leftovers.delete_config)
    yield Stage("model", leftovers.owned_models, leftovers.delete_model)
    past = {*_FIRST, *_BEFORE_PIPELINES, *_NEVER}
    yield from (_of(kind) for name, kind in reversed([*KINDS.items()]) if name not in past)


def _of(kind: Kind) -> Stage:
    return Stage(kind.name, kind.owned, kind.delete, kind.data)


def _live_runs(world: World) -> Iterator[Owned]:
    for pipeline in KINDS["pipeline"].owned(world):
        for arn in executions.live(world, pipeline.name):
            yield Owned(arn, pipeline.pipeline)


def _run(world: World, stage: Stage, dry_run: bool) -> list[Removed]:
    """What became of each thing of a stage. That it cannot even be listed is told as one of them."""
    try:
        found = [one.name for one in stage.owned(world)]
    except MockGap:
        return []  # a mock that cannot list them cannot have made any
    except CloudmlError as error:
        return [Removed(stage.name, "*", f"cannot be listed: {error.message}")]
    if dry_run:
        return [Removed(stage.name, name) for name in found]
    return in_parallel(lambda name: _removed(stage.name, name, lambda: stage.delete(world, name)), found)


def _removed(kind: str, name: str, delete: Callable[[], None]) -> Removed:
    try:
        delete()
    except CloudmlError as error:
        advice = f" ({error.hint})" if error.hint else ""
        return Removed(kind, name, f"{error.message}{advice}")
    return Removed(kind, name)


def _objects(world: World, folders: Iterable[str], dry_run: bool) -> list[Removed]:
    """Folder by folder. State goes last of them: until then the next attempt still knows what there was."""
    try:
        found = leftovers.piles(world, sorted(folders, key=lambda name: name == state.FOLDER))
    except CloudmlError as error:
        return [Removed("objects", f"{world.place.base}/", f"cannot be listed: {error.message}")]
    told = []
    for pile in found:
        name = f"{world.place.base}/{pile.name}/"
        told.append(
            Removed("objects", name)
            if dry_run
            else _removed("objects", name, lambda: leftovers.remove(world, pile.keys))  # noqa: B023 - called at once
        )
    return told


def _mark(world: World, dry_run: bool) -> list[Removed]:
    """The mark of the prefix, at the very end: as long as it is there, the prefix is this target's."""
    name = f"{world.place.base}/{state.OWNER}"
    if dry_run:
        return [Removed("objects", name)]
    return [_removed("objects", name, lambda: leftovers.remove(world, leftovers.owner_mark(world)))]
