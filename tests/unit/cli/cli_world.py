"""A project, a target and a backend that exist only here: the commands are tried without an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from cloudml.backend.port import Target
from cloudml.backend.records import (
    ArtifactRecord,
    Collected,
    Destroyed,
    EndpointRecord,
    Event,
    Explanation,
    Invocation,
    Listener,
    ModelVersion,
    Removed,
    RunRecord,
    TaskRecord,
)
from cloudml.errors import Diagnostic, NotFound, ProjectError
from cloudml.plan import Change, Plan

FRAME = ArtifactRecord("output", "polars.DataFrame", "parquet", "sha256:" + "ab" * 32, 1_234_567, "/state/ab/cd")


def task(name: str, status: str = "succeeded", **more: Any) -> TaskRecord:
    return TaskRecord(name, more.pop("kind", "processing"), status, **{"duration": 1.234, **more})  # type: ignore[arg-type]


def record(status: str = "succeeded", tasks: Sequence[TaskRecord] | None = None, **more: Any) -> RunRecord:
    tasks = (
        tasks
        if tasks is not None
        else (task("extract", outputs=(FRAME,)), task("fit", kind="training", metrics={"auc": 0.8412}))
    )
    return RunRecord(
        more.pop("id", "churn-1"),
        "churn",
        status,
        {"seed": 7},
        "2024-05-06T07:08:09+00:00",
        3.5,
        tasks=tuple(tasks),
        **more,
    )  # type: ignore[arg-type]


FAILED = record(
    "failed",
    [
        task("extract"),
        task(
            "features",
            "failed",
            needs=("extract",),
            failure={
                "class": "error",
                "exception": "ValueError",
                "message": "column 'age' is missing",
                "traceback": "File \"churn/features.py\", line 41, in features\nValueError: column 'age' is missing",
                "where": "churn/features.py:41",
            },
        ),
        task("fit", "pending", duration=None),
    ],
)

VERSION = ModelVersion(
    model="churn",
    version=3,
    digest="sha256:" + "cd" * 32,
    approval="pending",
    aliases=("champion",),
    metrics={"auc": 0.84},
    run="churn-1",
    step="fit",
    code="code:1",
    data={"train": "sha256:ee"},
    parameters={"depth": 6},
    created_at="2024-05-06T07:08:09+00:00",
    path="/state/models/churn/3",
    decisions=({"at": "2024", "who": "eva", "action": "promote", "reason": "best"},),
)

ENDPOINT = EndpointRecord("churn-production", "http://127.0.0.1:8123", "in_service", "churn", 3, "sha256:cd", 1)


@dataclass
class FakeRuns:
    records: list[RunRecord] = field(default_factory=lambda: [record()])
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[str] = field(default_factory=lambda: ["one", "two", "three"])
    explanations: list[Explanation] = field(default_factory=list)

    def get(self, run: str) -> RunRecord:
        if run == "last" and self.records:
            return self.records[0]
        for found in self.records:
            if found.id == run:
                return found
        raise NotFound(f"there is no run {run!r}")

    def list(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        return [replace(found, tasks=()) for found in self.records if pipeline in (None, found.pipeline)][:limit]

    def logs(self, run: str, task: str, follow: bool = False) -> Iterator[str]:
        self.calls.append(("logs", run, task, follow))
        yield from self.lines

    def why(self, run: str, task: str | None = None) -> list[Explanation]:  # type: ignore[valid-type]
        return [entry for entry in self.explanations if task in (None, entry.task)]

    def approve(self, run: str, task: str, who: str, reason: str, approved: bool = True) -> RunRecord:
        self.calls.append(("approve", run, task, who, reason, approved))
        return self.get(run)

    def fetch(self, run: str, task: str, output: str, folder: Path) -> Path:
        self.calls.append(("fetch", run, task, output, str(folder)))
        return folder / "output.parquet"

    def stop(self, run: str) -> RunRecord:
        self.calls.append(("stop", run))
        return replace(self.get(run), status="stopped")


@dataclass
class FakeModels:
    versions: list[ModelVersion] = field(default_factory=lambda: [VERSION])
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def list(self, model: str | None = None) -> list[ModelVersion]:
        return [version for version in self.versions if model in (None, version.model)]

    def get(self, model: str, version: int | None = None, alias: str | None = None) -> ModelVersion:
        for found in self.versions:
            if found.model == model and (found.version == version or alias in found.aliases):
                return found
        raise NotFound(f"there is no version {version or alias} of model {model!r}")

    def decide(self, model: str, version: int, approved: bool, who: str, reason: str) -> ModelVersion:
        self.calls.append(("decide", model, version, approved, who, reason))
        return self.get(model, version)

    def promote(self, model: str, version: int, alias: str, who: str, reason: str) -> ModelVersion:
        self.calls.append(("promote", model, version, alias, who, reason))
        return self.get(model, version)


@dataclass
class FakeEndpoints:
    records: list[EndpointRecord] = field(default_factory=lambda: [ENDPOINT])
    answer: Invocation = field(
        default_factory=lambda: Invocation(200, "application/json", b'{"predictions": [0.5]}', "3")
    )
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def list(self) -> list[EndpointRecord]:
        return self.records

    def get(self, name: str) -> EndpointRecord:
        for found in self.records:
            if found.name == name:
                return found
        raise NotFound(f"there is no endpoint {name!r}")

    def invoke(self, name: str, body: bytes, content_type: str, timeout: float) -> Invocation:
        self.calls.append(("invoke", name, body, content_type, timeout))
        return self.answer

    def stop(self, name: str) -> EndpointRecord:
        self.calls.append(("stop", name))
        return replace(self.get(name), status="stopped")

    def rollback(self, name: str, who: str, reason: str) -> EndpointRecord:
        self.calls.append(("rollback", name, who, reason))
        return replace(self.get(name), version=2)

    def start(self, name: str) -> EndpointRecord:
        self.calls.append(("start", name))
        return self.get(name)

    def logs(self, name: str) -> Iterator[str]:
        yield f"log of {name}"


@dataclass
class FakeSession:
    runs: FakeRuns = field(default_factory=FakeRuns)
    models: FakeModels = field(default_factory=FakeModels)
    endpoints: FakeEndpoints = field(default_factory=FakeEndpoints)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def collect(self, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
        self.calls.append(("collect", keep_runs, dry_run, verify))
        return Collected(12, 3_400_000, 2, ("sha256:bad",) if verify else (), dry_run)


@dataclass
class World:
    """What the commands see; a test changes it before it calls one."""

    session: FakeSession = field(default_factory=FakeSession)
    outcome: RunRecord | BaseException = field(default_factory=record)
    events: list[Event] = field(default_factory=list)
    diagnostics: tuple[Diagnostic, ...] = ()
    error: BaseException | None = None
    started: list[tuple[Any, ...]] = field(default_factory=list)
    targets: list[tuple[str | None, str | None]] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    destroyed: Destroyed = field(
        default_factory=lambda: Destroyed((Removed("endpoint", "churn-production"),), ("models, by --keep-data",))
    )
    rehearsed: TaskRecord = field(default_factory=lambda: task("fit", outputs=(FRAME,), values={"auc": 0.84}))
    spec: Any = None
    plan: Plan = field(
        default_factory=lambda: Plan(
            (Change("create", "pipeline", "churn"), Change("none", "endpoint", "staging")), ("retries are emulated",)
        )
    )

    def drive(self, listener: Listener, *what: Any) -> RunRecord:
        self.started.append(what)
        for event in self.events:
            listener(event)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@dataclass(frozen=True)
class FakeProject:
    world: World
    root: Path
    name: str = "churn"
    pipelines: tuple[str, ...] = ("churn",)
    targets: tuple[str, ...] = ("local", "aws")

    def target(self, target: str | None, backend: str | None = None) -> Target:
        self.world.targets.append((target, backend))
        return Target(target or backend or "local", backend or "local", self.name, self.root)


@dataclass(frozen=True)
class FakeChecked:
    pipeline: str
    steps: int
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class FakePrepared:
    warnings: tuple[Diagnostic, ...] = ()
    pipeline: str = "churn"


@dataclass(frozen=True)
class FakePlanned:
    plan: Plan
    prepared: FakePrepared
    offline: bool = False
    seen_at: str = ""


@dataclass(frozen=True)
class FakePromoted:
    source: ModelVersion
    adopted: ModelVersion


@dataclass(frozen=True)
class FakeDeployed:
    plan: Plan
    run: RunRecord
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class FakeBackendInfo:
    name: str
    description: str
    distribution: str
    installed: bool
    error: str | None = None


def fake_operations(world: World, root: Path) -> dict[str, ModuleType]:
    """Modules with the functions of `cloudml.operations`, over the fake world."""

    @contextmanager
    def open_session(target: Target) -> Iterator[FakeSession]:
        if world.error is not None:
            raise world.error
        yield world.session

    def load_project(start: Path | None = None) -> FakeProject:
        if isinstance(world.error, ProjectError):
            raise world.error
        return FakeProject(world, root)

    def drive(kind: str) -> Callable[..., RunRecord]:
        def start(project: Any, target: Target, *rest: Any) -> RunRecord:
            return world.drive(rest[-1], kind, *rest[:-1])

        return start

    def announced(plan: Plan | None, rest: tuple[Any, ...]) -> tuple[Any, ...]:
        *given, announce = rest
        if announce is not None:
            announce(FakePrepared(), plan)
        return tuple(given)

    def run(project: Any, target: Target, *rest: Any) -> RunRecord:
        return drive("run")(project, target, *announced(None, rest))

    def deploy(project: Any, target: Target, *rest: Any, prune: bool) -> FakeDeployed:
        world.asked.append(("deploy", prune))
        return FakeDeployed(world.plan, drive("deploy")(project, target, *announced(world.plan, rest)))

    def plan(project: Any, target: Target, pipeline: str | None, *, prune: bool, offline: bool) -> FakePlanned:
        world.asked.append(("plan", pipeline, prune, offline))
        return FakePlanned(
            world.plan, FakePrepared(world.diagnostics), offline, "2024-05-06T07:08:09" if offline else ""
        )

    def save(project: Any, target: Target, planned: FakePlanned, path: Path) -> None:
        world.asked.append(("save", path.name))

    def apply(
        project: Any, target: Target, pipeline: str | None, *, plan_file: Path | None, prune: bool, announce: Any
    ) -> FakePlanned:
        announce(FakePrepared(world.diagnostics), world.plan)
        if isinstance(world.outcome, BaseException):
            raise world.outcome
        world.asked.append(("apply", pipeline, plan_file and plan_file.name, prune))
        return FakePlanned(world.plan, FakePrepared(world.diagnostics))

    def destroy(project: Any, target: Target, *, dry_run: bool, keep_data: bool) -> Destroyed:
        world.asked.append(("destroy", dry_run, keep_data))
        return replace(world.destroyed, dry_run=dry_run)

    def rehearse(project: Any, target: Target, run: str, task_name: str, folder: Path) -> TaskRecord:
        world.asked.append(("rehearse", run, task_name, str(folder)))
        return world.rehearsed

    def promote_into(source: Target, goal: Target, *rest: Any) -> FakePromoted:
        world.asked.append(("promote_into", source.name, goal.name, *rest))
        return FakePromoted(VERSION, replace(VERSION, version=1))

    listed = [
        FakeBackendInfo("local", "this machine", "cloudml-pipelines", True),
        FakeBackendInfo("moon", "", "moon", False, "no oxygen"),
    ]
    contents: dict[str, dict[str, Any]] = {
        "project": {"load_project": load_project},
        "session": {"open_session": open_session, "backends": lambda: listed},
        "check": {
            "check": lambda project, target, pipeline: FakeChecked("churn", 12, world.diagnostics),
        },
        "load": {"load_spec": lambda project, pipeline: (world.spec, {})},
        "run": {
            "run": run,
            "rerun": drive("rerun"),
            "resume": drive("resume"),
            "deploy": deploy,
            "rehearse": rehearse,
        },
        "world": {"plan": plan, "save": save, "apply": apply, "destroy": destroy},
        "promote": {"promote_into": promote_into},
    }
    modules = {}
    for name, functions in contents.items():
        module = ModuleType(f"cloudml.operations.{name}")
        module.__dict__.update(functions)
        modules[module.__name__] = module
    return modules


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        assert self.out.count("\n") == 1, self.out
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert found["version"] == 1
        return found


Invoke = Callable[..., Result]
