"""What the room keeps in memory beside the store: parsed specs, and how each live job's DAGs stand.

Everything here can be made again from the store. Use it only under `World.lock`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml.mocks.store import Scope
from cloudml.mocks.switches import Switches
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import definition, records
from cloudml_vertex.mock.pipelines.decide import FINAL, Node, Plan
from cloudml_vertex.mock.pipelines.definition.flow import Values
from cloudml_vertex.mock.pipelines.definition.model import Component, Definition, Task

if TYPE_CHECKING:
    from cloudml_vertex.mock.pipelines.driver import Driver

PARSED_KEPT = 256
"""Parsed specs held in memory for jobs that are not live."""


ACCEPTED = {
    "missing-dependent-tasks": "accept",
    "parameter-types": "integer-as-double",
    "artifact-types": "ignore",
    "pipeline-schema-2.0.0": "accept",
    "long-descriptions": "accept",
}
"""The choices that refuse least."""


def stored(values: Values) -> Document:
    """Values as a record keeps them."""
    return {
        "parameters": dict(values.parameters),
        "artifacts": {name: list(artifacts) for name, artifacts in values.artifacts.items()},
    }


def values_of(kept: Document | None) -> Values:
    """Values from a record."""
    found = kept or {}
    artifacts = {name: tuple(listed) for name, listed in found.get("artifacts", {}).items()}
    return Values(parameters=dict(found.get("parameters", {})), artifacts=artifacts)


@dataclass
class DagState:
    """How one DAG of a job stands (the root's path is ""). `open`: how many of its tasks have not ended."""

    path: str
    component: Component
    plan: Plan
    inputs: Values
    states: dict[str, str] = field(default_factory=dict)
    produced: dict[str, Values] = field(default_factory=dict)
    open: int = 0

    def settle(self, key: str, state: str, outputs: Values | None = None) -> None:
        """A task came to `state`."""
        if state in FINAL and self.states.get(key) not in FINAL:
            self.open -= 1
        self.states[key] = state
        if outputs is not None:
            self.produced[key] = outputs


@dataclass
class LoopState:
    """How a loop stands: the inputs of each iteration, and the states of those that were started."""

    path: str
    items: tuple[Values, ...]
    width: int
    states: dict[int, str] = field(default_factory=dict)
    running: int = 0


@dataclass
class Run:
    """One live job: its documents, its definition, its DAGs and loops by path, and what is to be done next."""

    room: Room
    scope: Scope
    job: Document
    definition: Definition
    plans: dict[int, Plan] = field(default_factory=dict)
    dags: dict[str, DagState] = field(default_factory=dict)
    loops: dict[str, LoopState] = field(default_factory=dict)
    todo: deque[tuple[str, str, str]] = field(default_factory=deque)
    """What to do, a path, a key: see `engine.ACTIONS`."""
    halted: bool = False

    @property
    def world(self) -> World:
        """The mock's world."""
        return self.room.world

    @property
    def name(self) -> str:
        """The job's full name."""
        return str(self.job["name"])

    @property
    def id(self) -> str:
        """The job's id."""
        return names.id_of(self.name)

    @property
    def tasks(self) -> dict[str, Document]:
        """The records of the tasks, by path."""
        return self.room.index.of(self.world.table(records.TASKS, self.scope), self.name)

    @property
    def closed(self) -> bool:
        """Whether nothing may start any more, since the job is being cancelled."""
        return bool(self.job["state"] == "PIPELINE_STATE_CANCELLING")

    @property
    def fails_fast(self) -> bool:
        """Whether a failed task keeps others from being started."""
        policy = self.job.get("runtime_config", {}).get("failure_policy")
        return bool(policy == "PIPELINE_FAILURE_POLICY_FAIL_FAST")

    def plan(self, component: Component) -> Plan:
        """The order of a component's DAG."""
        found = self.plans.get(id(component))
        if found is None:
            dag = component.dag
            assert dag is not None
            tasks = (dag.tasks[key] for key in dag.order)
            found = self.plans[id(component)] = Plan(Node(task.key, task.upstream, task.strategy) for task in tasks)
        return found

    def component(self, record: Document) -> Component:
        """The component that a task's record runs."""
        return self.definition.components[self.task(record).component]

    def task(self, record: Document) -> Task:
        """The definition's task behind a record."""
        parent = self.tasks[record["_parent"]] if record["_parent"] else None
        if parent is not None and "_index" in record:
            return self.task(parent)
        dag = (self.definition.root if parent is None else self.component(parent)).dag
        assert dag is not None
        return dag.tasks[record["_key"]]

    def set(self, record: Document, state: str, error: Document | None = None) -> None:
        """A task comes to a state."""
        records.set_state(self.world, self.scope, record, state, error)

    def keep(self, record: Document) -> None:
        """Keep a task's record."""
        records.keep(self.world, self.scope, record)


class _Lenient:
    """How a spec is read that was accepted once: a switch that was set since must not refuse it any more."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def __getitem__(self, name: str) -> str:
        return ACCEPTED.get(name) or self._switches[name]


@dataclass
class Room:
    """One mock's pipelines."""

    world: World
    index: records.Index = field(default_factory=records.Index)
    runs: dict[str, Run] = field(default_factory=dict)
    """The live jobs, by name."""
    waiting: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Kind and name of a resource -> job and path of the task that waits for news of it."""
    _parsed: OrderedDict[str, Definition] = field(default_factory=OrderedDict)
    _driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """Who moves jobs on."""
        assert self._driver is not None
        return self._driver

    @driver.setter
    def driver(self, driver: Driver) -> None:
        self._driver = driver

    def definition(self, job: str, spec: Mapping[str, Any]) -> Definition:
        """The job's spec as understood."""
        if job not in self._parsed:
            self._parsed[job] = definition.parse(dict(spec), _Lenient(self.world.switches))
            while len(self._parsed) > PARSED_KEPT:
                self._parsed.popitem(last=False)
        return self._parsed[job]

    def run(self, scope: Scope, name: str) -> Run | None:
        """The live job of that name; None when there is none (any more)."""
        job = self.world.table(records.JOBS, scope).get(name)
        if job is None or job["state"] not in records.LIVE:
            self.runs.pop(name, None)
            return None
        found = self.runs.get(name)
        if found is None:
            found = self.runs[name] = Run(self, scope, job, self.definition(name, job["pipeline_spec"]))
        return found


def room_of(world: World) -> Room:
    """The room of a mock."""
    found = world.rooms["pipelines"]
    assert isinstance(found, Room)
    return found
