"""What an execution does next: a pure function of the definition and of how its steps stand.

Order comes from data references, DependsOn (with run conditions) and the branch a step stands in. A step that can never
run gets no record at all: AWS's model has no status for one, and its step list does not show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Step

ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
"""Statuses of a step that will not change any more."""

TRIGGERS = {
    "Completed": frozenset({"Succeeded"}),
    "Failed": frozenset({"Failed"}),
    "Stopped": frozenset({"Stopped"}),
    "Any": ENDED,
}
"""Which ends of the upstream step let a step run, by the Trigger of its DependsOn entry (AWS's SDK, StepDependency)."""


class Plan:
    """What follows from a definition alone: an order of the steps, and who has a run condition on whom."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.order = _ordered(definition)
        self.triggers = {
            step.name: {dependency.step: dependency.trigger for dependency in step.depends_on}
            for step in definition.every.values()
        }
        self.watchers: dict[str, list[str]] = {}
        for name, triggers in self.triggers.items():
            for upstream, trigger in triggers.items():
                if trigger != "Completed":
                    self.watchers.setdefault(upstream, []).append(name)


@dataclass(frozen=True)
class View:
    """How an execution stands. `statuses`: of the steps that have a record, children of loops as `BODY-INDEX`.

    `outcomes`: of evaluated Conditions; `items`: how many a ForEach goes over, `width`: its MaxConcurrency; `limit`:
    MaxParallelExecutionSteps; `selected`: the steps of a selective execution; `hold`: after a failure that no run
    condition takes care of only steps with a run condition still start; `any_on_never`: a trigger Any fires for a step
    that never ran; `stopped_as`: how an execution ends in which somebody stopped a step's job.
    """

    plan: Plan
    statuses: Mapping[str, str]
    outcomes: Mapping[str, bool] = field(default_factory=dict)
    items: Mapping[str, int] = field(default_factory=dict)
    width: Mapping[str, int] = field(default_factory=dict)
    limit: int | None = None
    selected: frozenset[str] | None = None
    stopping: bool = False
    hold: bool = True
    any_on_never: bool = False
    stopped_as: str = "Stopped"


@dataclass(frozen=True)
class Decision:
    """`start`: names to start now, in order; `loops`: ForEach steps that are over, with their status; `end`: the
    execution's last status once there is nothing left to do."""

    start: tuple[str, ...] = ()
    loops: tuple[tuple[str, str], ...] = ()
    end: str | None = None


def child(body: str, index: int) -> str:
    """The name of a ForEach body step's record in one iteration (AWS's SDK, ForEachStep)."""
    return f"{body}-{index}"


def decide(view: View) -> Decision:
    """The next actions; none of them and no end: something is still under way."""
    over = tuple(_finished_loops(view))
    if over:
        return Decision(loops=over)
    active = [name for name, status in view.statuses.items() if status not in ENDED]
    ready = () if view.stopping else tuple(_ready(view))
    if not active and not ready:
        return Decision(end=_end(view))
    if view.limit is None:
        return Decision(start=ready)
    # A ForEach does nothing itself: only its children count.
    room = view.limit - sum(1 for name in active if name not in view.items)
    return Decision(start=ready[: max(0, room)])


def _ordered(definition: Definition) -> tuple[Step, ...]:
    """The steps outside of loop bodies, each after its upstream ones."""
    steps = {name: step for name, step in definition.every.items() if step.body_of is None}
    missing = {name: {up for up in step.upstream if up in steps and up != name} for name, step in steps.items()}
    waiting: dict[str, list[str]] = {}
    for name, ups in missing.items():
        for up in ups:
            waiting.setdefault(up, []).append(name)
    free = [name for name, ups in missing.items() if not ups]
    for name in free:
        for later in waiting.get(name, ()):
            missing[later].discard(name)
            if not missing[later]:
                free.append(later)
    return tuple(steps[name] for name in free)


def _wanted(view: View, name: str) -> bool:
    return view.selected is None or name in view.selected


def _unhandled(view: View) -> Iterator[str]:
    """Steps that failed or were stopped, without a run condition of another step that fires for it."""
    for name, status in view.statuses.items():
        if status in {"Failed", "Stopped"} and name in view.plan.definition.every:
            watchers = view.plan.watchers.get(name, ())
            if not any(
                _wanted(view, watcher) and status in TRIGGERS[view.plan.triggers[watcher][name]] for watcher in watchers
            ):
                yield name


def _holding(view: View) -> bool:
    return _fail_step_ran(view) or (view.hold and any(True for _ in _unhandled(view)))


def _ready(view: View) -> Iterator[str]:
    states = _states(view)
    holding = _holding(view)
    for name in view.plan.definition.every:
        if states.get(name) == "ready":
            conditional = any(trigger != "Completed" for trigger in view.plan.triggers[name].values())
            if conditional or not holding:
                yield name
    for loop in view.items:
        if view.statuses[loop] not in ENDED:
            room = view.width[loop] - sum(1 for status in _children(view, loop).values() if status not in ENDED)
            yield from list(_ready_children(view, loop))[: max(0, room)]


def _states(view: View) -> dict[str, str]:
    """Of each step outside of loops: its record's status, or "ready", "wait", "never", "outside" (not selected)."""
    states: dict[str, str] = {}
    for step in view.plan.order:
        states[step.name] = _state(view, step, states)
    return states


def _state(view: View, step: Step, states: Mapping[str, str]) -> str:
    if step.name in view.statuses:
        return view.statuses[step.name]
    if not _wanted(view, step.name):
        return "outside"
    triggers = view.plan.triggers[step.name]
    found = {_dependency(view, states.get(up, "outside"), triggers.get(up, "Completed")) for up in step.upstream}
    if step.branch is not None and states.get(step.branch.condition) == "Succeeded":
        found.add("met" if view.outcomes.get(step.branch.condition) == step.branch.taken else "never")
    if "never" in found:
        return "never"
    return "wait" if "wait" in found else "ready"


def _dependency(view: View, state: str, trigger: str) -> str:
    if state == "outside":
        return "met"
    if state in ENDED:
        return "met" if state in TRIGGERS[trigger] else "never"
    if state == "never":
        return "met" if trigger == "Any" and view.any_on_never else "never"
    return "wait"


def _children(view: View, loop: str) -> dict[str, str]:
    """The statuses of a ForEach's children that have a record."""
    names = (child(body, index) for index in range(view.items[loop]) for body in _body(view, loop))
    return {name: view.statuses[name] for name in names if name in view.statuses}


def _body(view: View, loop: str) -> tuple[str, ...]:
    found = view.plan.definition.every[loop].loop
    return found.body if found is not None else ()


def _ready_children(view: View, loop: str) -> Iterator[str]:
    """Children that may start, whatever the loop's concurrency; none after one failed (as `hold` says)."""
    body = _body(view, loop)
    if view.hold and any(status != "Succeeded" for status in _children(view, loop).values() if status in ENDED):
        return
    for index in range(view.items[loop]):
        for name in body:
            if child(name, index) not in view.statuses:
                ups = [child(up, index) for up in view.plan.definition.every[name].upstream if up in body]
                if all(view.statuses.get(up) == "Succeeded" for up in ups):
                    yield child(name, index)


def _finished_loops(view: View) -> Iterator[tuple[str, str]]:
    for loop, count in view.items.items():
        if view.statuses[loop] in ENDED:
            continue
        children = _children(view, loop)
        if any(status not in ENDED for status in children.values()):
            continue
        if not view.stopping and next(_ready_children(view, loop), None) is not None:
            continue
        ends = set(children.values())
        whole = len(children) == count * len(_body(view, loop))
        yield loop, "Failed" if "Failed" in ends else "Succeeded" if whole and ends <= {"Succeeded"} else "Stopped"


def _end(view: View) -> str:
    """The execution's last status, when nothing is under way and nothing can start.

    AWS's SDK documents CompletedWithFailures: steps ran on a failed upstream step.
    """
    if view.stopping:
        return "Stopped"
    if _fail_step_ran(view):
        return "Failed"
    bad = [name for name, status in view.statuses.items() if status in {"Failed", "Stopped"}]
    tops = [name for name in bad if name in view.plan.definition.every]
    alone = {name: view.statuses[name] for name in tops if not _cared_for(view, name)}
    if "Failed" in alone.values():
        return "Failed"
    if alone:
        return view.stopped_as
    return "CompletedWithFailures" if tops else "Succeeded"


def _fail_step_ran(view: View) -> bool:
    every = view.plan.definition.every
    return any(
        status == "Failed" and name in every and every[name].type == "Fail" for name, status in view.statuses.items()
    )


def _cared_for(view: View, name: str) -> bool:
    """Whether a step ran by a run condition on `name`."""
    status = view.statuses[name]
    return any(
        watcher in view.statuses and status in TRIGGERS[view.plan.triggers[watcher][name]]
        for watcher in view.plan.watchers.get(name, ())
    )
