"""A pipeline becomes one flat list of tasks: what each needs, which branch and which maps it lies in, what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import Sources
from cloudml.plan import Resource
from cloudml_local.compile.tasks import emit

DOCUMENT_VERSION = 1
_BLOCKS = (spec.GroupStep, spec.ConditionStep)


def compile_pipeline(pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]:
    """The pipeline, its endpoints and its schedule. The task list keeps the author's order."""
    document = {
        "document_version": DOCUMENT_VERSION,
        "pipeline": pipeline.name,
        "root": str(target.root),
        "source": str(sources.root),
        "lock": sources.lock,
        "parameters": [parameter.model_dump(mode="json") for parameter in pipeline.parameters],
        "max_parallel": pipeline.max_parallel,
        "timeout": pipeline.timeout,
        "endpoints": {endpoint.name: endpoint.model_dump(mode="json") for endpoint in pipeline.endpoints},
        "alerts": {alert.name: alert.model_dump(mode="json") for alert in pipeline.alerts},
        "tasks": _tasks(pipeline, sources),
    }
    resources = [Resource.of("pipeline", pipeline.name, document)]
    resources += [Resource.of("endpoint", one.name, one.model_dump(mode="json")) for one in pipeline.endpoints]
    if pipeline.schedule is not None:
        resources.append(Resource.of("schedule", pipeline.name, pipeline.schedule.model_dump(mode="json")))
    return tuple(resources)


@dataclass(frozen=True)
class _Place:
    """Where a step lies: in which branches, in which maps, inside a finally block or not."""

    guards: tuple[tuple[str, str], ...] = ()
    maps: tuple[str, ...] = ()
    parent: str | None = None
    final: bool = False


def _tasks(pipeline: spec.Pipeline, sources: Sources) -> list[dict[str, Any]]:
    """Containers come before their bodies; iterative, so that depth costs no stack."""
    places: dict[str, _Place] = {}
    found: list[tuple[spec.BaseStep, _Place]] = []
    stack: list[tuple[spec.BaseStep, _Place]] = [(step, _Place()) for step in reversed(pipeline.steps)]
    while stack:
        step, place = stack.pop()
        places[step.name] = place
        if not isinstance(step, (spec.GroupStep, spec.FinallyStep)):
            found.append((step, place))
        stack.extend(reversed(_inside(step, place)))
    blocks = {step.name: _members(step) for step in spec.walk(pipeline.steps) if isinstance(step, _BLOCKS)}
    return [_task(step, place, places, blocks, sources) for step, place in found]


def _inside(step: spec.BaseStep, place: _Place) -> Sequence[tuple[spec.BaseStep, _Place]]:
    if isinstance(step, spec.ConditionStep):
        then = _Place((*place.guards, (step.name, "then")), place.maps, step.name, place.final)
        otherwise = _Place((*place.guards, (step.name, "otherwise")), place.maps, step.name, place.final)
        return [(one, then) for one in step.then] + [(one, otherwise) for one in step.otherwise]
    if isinstance(step, spec.MapStep):
        inner = _Place(place.guards, (*place.maps, step.name), step.name, place.final)
        return [(one, inner) for one in step.body]
    if isinstance(step, spec.FinallyStep):
        return [(one, _Place(place.guards, place.maps, None, True)) for one in step.body]
    return [(one, place) for one in spec.children(step)]


def _members(block: spec.BaseStep) -> list[str]:
    """What `after=block` waits for: all that lies in it."""
    return [step.name for step in spec.walk((block,)) if not isinstance(step, (spec.GroupStep, spec.FinallyStep))]


def _task(
    step: spec.BaseStep,
    place: _Place,
    places: dict[str, _Place],
    blocks: dict[str, list[str]],
    sources: Sources,
) -> dict[str, Any]:
    needs: dict[str, None] = {}
    for name in _upstream(step, blocks):
        needs[_visible(name, place, places)] = None
    for name, _ in place.guards:
        needs[name] = None
    for name in place.maps:
        needs[name] = None
    kind = getattr(step, "kind")  # noqa: B009 - the base class has no kind
    return {
        "id": step.name,
        "kind": kind,
        "parent": place.parent,
        "needs": list(needs),
        "guards": [list(guard) for guard in place.guards],
        "maps": list(place.maps),
        "final": place.final,
        "reads": {"name": step.name, **_uncached(emit(step, sources), place)},
    }


def _uncached(reads: dict[str, Any], place: _Place) -> dict[str, Any]:
    """What a finally block does is wanted each time for its effect: a result from another run would not have it."""
    if place.final and reads.get("cache"):
        return {**reads, "cache": {"enabled": False, "ttl": None}}
    return reads


def _upstream(step: spec.BaseStep, blocks: dict[str, list[str]]) -> list[str]:
    found = [name for after in step.after for name in blocks.get(after, [after])]
    for _, value in spec.arguments(step):
        found += [leaf.step for leaf in spec.references(value) if isinstance(leaf, spec.OutputRef)]
        found += [leaf.map for leaf in spec.references(value) if isinstance(leaf, spec.ItemRef)]
    return found


def _visible(name: str, place: _Place, places: dict[str, _Place]) -> str:
    """What to wait for: a step of the same iteration itself, a step inside a map not shared: that whole map."""
    theirs = places[name].maps if name in places else ()
    for index, container in enumerate(theirs):
        if index >= len(place.maps) or place.maps[index] != container:
            return container
    return name
