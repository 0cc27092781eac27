"""Task instances and who waits for whom. Pure bookkeeping: no clock, no disk. Every step of the work is linear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudml.backend.records import DONE, ENDED


@dataclass
class Instance:
    """One task, or one item's share of a task inside a map. `items` holds the item of each enclosing map."""

    id: str
    template: dict[str, Any]
    indices: tuple[int, ...] = ()
    items: dict[str, Any] = field(default_factory=dict)
    status: str = "pending"
    reason: str = ""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    unmet: int = 0
    dependents: list[Instance] = field(default_factory=list)
    needs: list[Instance] = field(default_factory=list)
    owner: Instance | None = None
    """The map instance that made this one."""
    order: int = 0

    @property
    def kind(self) -> str:
        return str(self.template["kind"])

    @property
    def reads(self) -> dict[str, Any]:
        reads: dict[str, Any] = self.template["reads"]
        return reads

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass
class Expansion:
    """The progress of one map instance: which items exist, how many instances of each iteration still run."""

    items: list[Any]
    parallel: int
    started: int = 0
    open: dict[int, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.started == len(self.items) and not self.open


class Graph:
    """Instances by id. `start`, `end` and `expand` return what became ready, in the author's order."""

    def __init__(self, tasks: list[dict[str, Any]]) -> None:
        self._tasks = tasks
        self._templates = {task["id"]: task for task in tasks}
        self._position = {task["id"]: index for index, task in enumerate(tasks)}
        self._bodies: dict[str, list[dict[str, Any]]] = {}
        for task in tasks:
            if task["maps"]:
                self._bodies.setdefault(task["maps"][-1], []).append(task)
        self.instances: dict[str, Instance] = {}
        self.expansions: dict[str, Expansion] = {}
        self._open = {False: 0, True: 0}

    def start(self) -> list[Instance]:
        """Make every task that lies in no map; the ones that wait for nothing are ready."""
        roots = [task for task in self._tasks if not task["maps"]]
        return self._create(roots, (), {}, None)

    def template(self, step: str) -> dict[str, Any]:
        return self._templates[step]

    def find(self, step: str, near: Instance) -> Instance | None:
        """The instance of a step that an instance sees: the same item in every map that both lie in."""
        maps = self._templates[step]["maps"]
        return self.instances.get(instance_id(step, near.indices[: len(maps)]))

    def all_of(self, step: str, near: Instance) -> list[Instance]:
        """Every instance of a step over the items of the maps that `near` is not in, in item order."""
        maps = self._templates[step]["maps"]
        shared = _common(maps, near.template["maps"])
        prefixes: list[tuple[int, ...]] = [near.indices[:shared]]
        for depth in range(shared, len(maps)):
            prefixes = [(*prefix, index) for prefix in prefixes for index in range(self._count(maps[depth], prefix))]
        found = (self.instances.get(instance_id(step, prefix)) for prefix in prefixes)
        return [instance for instance in found if instance is not None]

    def _count(self, container: str, prefix: tuple[int, ...]) -> int:
        expansion = self.expansions.get(instance_id(container, prefix))
        return 0 if expansion is None else expansion.started

    def open(self, final: bool) -> int:
        """How many instances of the main part, or of the finally blocks, have not ended."""
        return self._open[final]

    def expand(self, owner: Instance, items: list[Any]) -> list[Instance]:
        """Begin a map: as many items as may run at once."""
        parallel = owner.reads["parallel"] or max(len(items), 1)
        expansion = Expansion(items, parallel)
        self.expansions[owner.id] = expansion
        ready: list[Instance] = []
        while expansion.started < min(parallel, len(items)):
            ready += self._iterate(owner, expansion)
        return ready

    def _iterate(self, owner: Instance, expansion: Expansion) -> list[Instance]:
        index = expansion.started
        expansion.started += 1
        body = self._bodies.get(owner.template["id"], [])
        expansion.open[index] = len(body)
        items = {**owner.items, owner.template["id"]: expansion.items[index]}
        return self._create(body, (*owner.indices, index), items, owner)

    def _create(
        self, tasks: list[dict[str, Any]], indices: tuple[int, ...], items: dict[str, Any], owner: Instance | None
    ) -> list[Instance]:
        made: list[Instance] = []
        for task in tasks:
            instance = Instance(instance_id(task["id"], indices), task, indices, items, owner=owner)
            instance.order = self._position[task["id"]]
            self.instances[instance.id] = instance
            self._open[task["final"]] += 1
            made.append(instance)
        for instance in made:
            self._connect(instance)
        return [instance for instance in made if instance.unmet == 0]

    def _connect(self, instance: Instance) -> None:
        for name in instance.template["needs"]:
            if name in instance.template["maps"]:
                continue  # the enclosing map has begun, or this instance would not exist
            need = self.find(name, instance)
            if need is None:
                continue
            instance.needs.append(need)
            if not need.ended:
                instance.unmet += 1
                need.dependents.append(instance)

    def end(self, instance: Instance, status: str, reason: str = "") -> list[Instance]:
        """Record how an instance ended; what became ready, further items of its map included."""
        instance.status = status
        instance.reason = reason
        self._open[instance.template["final"]] -= 1
        ready: list[Instance] = []
        for dependent in instance.dependents:
            dependent.unmet -= 1
            if dependent.unmet == 0 and dependent.status == "pending":
                ready.append(dependent)
        instance.dependents = []
        if instance.owner is not None:
            ready += self._item_ended(instance)
        return ready

    def _item_ended(self, instance: Instance) -> list[Instance]:
        owner = instance.owner
        assert owner is not None
        expansion = self.expansions[owner.id]
        index = instance.indices[-1]
        if instance.status == "failed":
            expansion.failed.append(instance.id)
        expansion.open[index] -= 1
        if expansion.open[index]:
            return []
        del expansion.open[index]
        if expansion.started < len(expansion.items):
            return self._iterate(owner, expansion)
        return []

    def verdict(self, instance: Instance) -> str | None:
        """Why a ready instance must be skipped, in words, or None when it may run."""
        for name, branch in instance.template["guards"]:
            condition = self.find(name, instance)
            if condition is None or condition.status not in DONE:
                return f"{name} was not decided" if condition is None else f"{name} {_past(condition.status)}"
            if condition.values.get("branch") != branch:
                return f"{name} was {'false' if branch == 'then' else 'true'}"
        guards = {name for name, _ in instance.template["guards"]}
        final = instance.template["final"]
        for need in instance.needs:
            if need.template["id"] in guards or need.status in DONE:
                continue
            ordered_only = need.template["id"] not in _referenced(instance)
            if ordered_only and final and not need.template["final"]:
                continue  # a finally step runs after what failed; only data it reads must exist
            if ordered_only and need.status == "skipped" and self._bypassed(need):
                continue  # it waits for a whole block, of which this branch was not taken
            return f"{need.id} {_past(need.status)}"
        return None

    def _bypassed(self, instance: Instance) -> bool:
        """Whether an instance lies in a branch that was not taken."""
        for name, branch in instance.template["guards"]:
            condition = self.find(name, instance)
            if condition is not None and condition.status in DONE and condition.values.get("branch") != branch:
                return True
        return False

    def walk(self) -> Iterator[Instance]:
        """Instances in the author's order, items of a map in item order."""
        return iter(sorted(self.instances.values(), key=lambda instance: (instance.order, instance.indices)))


def instance_id(step: str, indices: tuple[int, ...]) -> str:
    """`score` or `score[2]` or `score[2][0]`."""
    return step + "".join(f"[{index}]" for index in indices)


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count


def _past(status: str) -> str:
    return {"skipped": "was skipped", "stopped": "was stopped"}.get(status, status)


def _referenced(instance: Instance) -> set[str]:
    found: set[str] = set()
    stack: list[Any] = [instance.reads]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if value.get("kind") == "output" and "step" in value:
                found.add(value["step"])
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return found
