"""What the room keeps in memory beside the store: parsed definitions, the index of step records, who waits for what."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.decide import Plan, View
from cloudml_sagemaker.mock.pipelines.definition import parse
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Step

if TYPE_CHECKING:
    from cloudml_sagemaker.mock.pipelines.driver import Driver

PARSED_KEPT = 256
"""Parsed definitions held in memory."""

ACCEPTED = {
    "argument-limits": "run",
    "expression-for-list": "allow",
    "nested-conditions": "allow",
    "rejoin": "wait",
    "depends-on-condition": "allow",
    "steps-quota": "none",
    "expire-after-forms": "documented",
    "cache-without-expiry": "keep",
    "endpoint-step-deployment-config": "allow",
}
"""How a definition is read that was accepted once: a switch that was set since must not refuse it any more."""


@dataclass
class Room:
    """One mock's pipelines. Everything here can be made again from the store; use it only under `World.lock`."""

    world: World
    index: records.StepIndex = field(default_factory=records.StepIndex)
    waiting: dict[tuple[str, Scope, str], tuple[str, str]] = field(default_factory=dict)
    """Kind and name of a job -> execution and step that wait for its end."""
    _plans: OrderedDict[str, Plan] = field(default_factory=OrderedDict)
    _driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """Who moves executions on."""
        assert self._driver is not None
        return self._driver

    @driver.setter
    def driver(self, driver: Driver) -> None:
        self._driver = driver

    def plan(self, text: str) -> Plan:
        """The definition as understood, kept while it is in use."""
        if text not in self._plans:
            self._plans[text] = Plan(parse(text, ACCEPTED))
            while len(self._plans) > PARSED_KEPT:
                self._plans.popitem(last=False)
        self._plans.move_to_end(text)
        return self._plans[text]

    def run(self, scope: Scope, arn: str) -> Run | None:
        """The execution, None when there is none of that ARN (any more)."""
        record = self.world.table(records.EXECUTIONS, scope).get(arn)
        if record is None:
            return None
        version = records.version_key(records.pipeline_of(arn), record["PipelineVersionId"])
        text = self.world.table(records.VERSIONS, scope)[version]["PipelineDefinition"]
        return Run(self, scope, record, self.plan(text))


@dataclass(frozen=True)
class Run:
    """One execution for the driver: its document, its definition, its step records. Use it under the lock only."""

    room: Room
    scope: Scope
    record: Document
    plan: Plan

    @property
    def world(self) -> World:
        """The mock's world."""
        return self.room.world

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return str(self.record["PipelineExecutionArn"])

    @property
    def definition(self) -> Definition:
        """What is executed."""
        return self.plan.definition

    @property
    def steps(self) -> dict[str, Document]:
        """The records of the steps that have one."""
        return self.room.index.of(self.world.table(records.STEPS, self.scope), self.arn)

    def step(self, name: str) -> Step:
        """The definition's step behind a record's name (`BODY-INDEX` for a ForEach's children)."""
        record = self.steps.get(name)
        return self.definition.every[record["_step"] if record is not None else self.origin(name)[0]]

    def origin(self, name: str) -> tuple[str, int | None]:
        """The definition's step and, for a ForEach's child, the iteration."""
        if name in self.definition.every:
            return name, None
        body, _, index = name.rpartition("-")
        return body, int(index)

    def set(self, record: Document, status: str, **updates: Any) -> None:
        """A step's status has changed."""
        records.set_step(self.world, self.scope, self.room.index, record, status, **updates)

    def keep(self, record: Document) -> None:
        """Keep a step's record without a change of its status."""
        self.room.index.put(self.world.table(records.STEPS, self.scope), record)

    def view(self) -> View:
        """How it stands, for `decide`."""
        steps, switches = self.steps, self.world.switches
        loops = {name: record for name, record in steps.items() if "_items" in record}
        selected = self.record.get("_selected")
        limit = (self.record.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
        return View(
            plan=self.plan,
            statuses={name: record["StepStatus"] for name, record in steps.items()},
            outcomes={name: record["_outcome"] for name, record in steps.items() if "_outcome" in record},
            items={name: len(record["_items"]) for name, record in loops.items()},
            width={name: record["_width"] for name, record in loops.items()},
            limit=limit,
            selected=frozenset(selected) if selected is not None else None,
            stopping=self.record["PipelineExecutionStatus"] == "Stopping",
            hold=switches["branches-after-failure"] == "hold",
            any_on_never=switches["trigger-any-on-never-run"] == "run",
            stopped_as=switches["step-stopped-outside"],
        )


def room_of(world: World) -> Room:
    """The room of a mock."""
    found = world.rooms["pipelines"]
    assert isinstance(found, Room)
    return found
