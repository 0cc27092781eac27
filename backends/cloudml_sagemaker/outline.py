"""The author's steps, read back from a pipeline definition and the step documents that it points to. Pure.

The compiler gives each step of a definition the author's name as DisplayName, and each job a document (`step.json`)
that says what it does there; one step of the author's may be several of AWS's, and a group's members share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
ReadStep = Callable[[str], Json]
"""The step document below an S3 prefix."""

_KINDS = {
    "Processing": "processing",
    "Training": "training",
    "Tuning": "tuning",
    "Condition": "condition",
    "ForEach": "map",
    "Callback": "approve",
    "Fail": "fail",
}
"""The kind of a step that has no document; also what a job of that type is without one."""

_BRANCHES = (("IfSteps", "then"), ("ElseSteps", "otherwise"))


@dataclass(frozen=True)
class Part:
    """A step of AWS's: its name in the definition, its type, and what it does for the author's step.

    `role`: "main", or "best", "decide", "items" for what was added to it. `loop` is the ForEach around it.
    """

    name: str
    type: str
    role: str = "main"
    loop: str | None = None
    branch: tuple[str, str] | None = None
    """The Condition step around it, and the branch: "then" or "otherwise"."""


@dataclass
class Task:
    """A step of the author's. `member`: its name inside the job that it shares with others of its group."""

    name: str
    kind: str
    parent: str | None = None
    needs: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    member: str | None = None
    within: tuple[str, str] | None = None
    """The author's condition around it, and the branch it lies in."""

    @property
    def loop(self) -> str | None:
        """The ForEach step that repeats it."""
        return next((part.loop for part in self.parts if part.loop is not None), None)


def outline(definition: Json, read_step: ReadStep) -> tuple[Task, ...]:
    """The tasks of a definition, containers before what lies in them."""
    tasks: dict[str, Task] = {}
    names = {str(step["Name"]): str(step.get("DisplayName") or step["Name"]) for step, _ in _walk(definition["Steps"])}
    for step, place in _walk(definition["Steps"]):
        for task in _tasks_of(step, place, names, read_step):
            known = tasks.setdefault(task.name, task)
            if known is not task:
                _join(known, task)
    return tuple(tasks.values())


def tops(definition: Json) -> dict[str, str]:
    """By the name of each step, that of the outermost step around it; of one that stands alone, its own."""
    return {str(step["Name"]): str(top["Name"]) for top in definition["Steps"] for step, _ in _walk([top])}


def job_prefix(arguments: Json) -> str | None:
    """Where the job of a step with these Arguments finds its step document; None when it is none of cloudml's."""
    named = [(one.get("InputName"), one.get("S3Input", {})) for one in arguments.get("ProcessingInputs", ())]
    job = arguments.get("TrainingJobDefinition", arguments)
    named += [
        (channel.get("ChannelName"), channel.get("DataSource", {}).get("S3DataSource", {}))
        for channel in job.get("InputDataConfig", ())
    ]
    found = next((source.get("S3Uri") for name, source in named if name == "cloudml"), None)
    return found if isinstance(found, str) else None


@dataclass(frozen=True)
class _Place:
    loop: str | None = None
    branch: tuple[str, str] | None = None

    @property
    def around(self) -> str | None:
        return self.loop or (self.branch[0] if self.branch else None)


def _walk(steps: list[Json], place: _Place = _Place()) -> Iterator[tuple[Json, _Place]]:
    for step in steps:
        yield step, place
        arguments = step.get("Arguments", {})
        if step["Type"] == "Condition":
            for member, branch in _BRANCHES:
                yield from _walk(arguments.get(member, []), _Place(place.loop, (step["Name"], branch)))
        elif step["Type"] == "ForEach":
            yield from _walk(step.get("ForEachBody") or arguments.get("ForEachBody", []), _Place(step["Name"], None))


def _tasks_of(step: Json, place: _Place, names: Mapping[str, str], read_step: ReadStep) -> Iterator[Task]:
    prefix = job_prefix(step.get("Arguments", {}))
    document: Json = read_step(prefix) if prefix is not None else {}
    about: Json = document.get("task", {})
    name = str(about.get("name") or names[step["Name"]])
    part = Part(str(step["Name"]), str(step["Type"]), str(about.get("part", "main")), place.loop, place.branch)
    parent = names.get(place.around) if place.around is not None else None
    within = (names[place.branch[0]], place.branch[1]) if place.branch is not None else None
    needs = tuple(about["needs"]) if "needs" in about else _after(step, names)
    if document.get("kind") == "group":
        yield from _members(document["members"], Task("", "", parent, needs, [part], None, within))
        return
    kind = str(about.get("kind") or _KINDS.get(part.type, part.type.lower()))
    yield Task(name, kind, parent, needs, [part], None, within)


def _members(members: list[Json], group: Task) -> Iterator[Task]:
    """The tasks that share a group's job; what lies in a branch of theirs knows which."""
    for member in members:
        name = str(member["step"])
        about: Json = member.get("task", {})
        kind = str(about.get("kind") or {"job": "processing"}.get(member["kind"], member["kind"]))
        needs = tuple(about.get("needs", group.needs))
        yield Task(name, kind, group.parent, needs, list(group.parts), name, group.within)
        for branch in ("then", "otherwise"):
            inner = Task("", "", name, (name,), list(group.parts), None, (name, branch))
            yield from _members(member.get(branch, []), inner)


def _after(step: Json, names: Mapping[str, str]) -> tuple[str, ...]:
    found = [one if isinstance(one, str) else one["Step"] for one in step.get("DependsOn", ())]
    return tuple(dict.fromkeys(names.get(one, one) for one in found))


def _join(known: Task, more: Task) -> None:
    """Two steps of AWS's for one of the author's: what he wrote is the one that is `main`, or has the kind's type."""
    known.parts += more.parts
    if _KINDS.get(more.parts[0].type) == known.kind or more.parts[0].role == "main":
        known.parent, known.within = more.parent, more.within
    if more.parts[0].type in ("Condition", "ForEach"):
        known.kind = _KINDS[more.parts[0].type]
    known.needs = tuple(one for one in dict.fromkeys((*known.needs, *more.needs)) if one != known.name)
