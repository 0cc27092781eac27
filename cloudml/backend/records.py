"""What a backend tells of runs, models and endpoints: plain frozen records, the same for every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

RunStatus: TypeAlias = Literal["running", "waiting", "succeeded", "failed", "stopped", "interrupted"]
"""`waiting`: for a person; `stopped`: on request; `interrupted`: its driver died, `resume` goes on."""

TaskStatus: TypeAlias = Literal[
    "pending", "running", "waiting", "succeeded", "cached", "skipped", "failed", "stopped", "interrupted"
]

DONE: frozenset[str] = frozenset({"succeeded", "cached"})
ENDED: frozenset[str] = frozenset({"succeeded", "cached", "skipped", "failed", "stopped"})


@dataclass(frozen=True)
class ArtifactRecord:
    """An output of a task: where it lies, in what format, and what its content hashes to. `size` in bytes."""

    name: str
    type: str
    format: str
    digest: str
    size: int
    path: str


@dataclass(frozen=True)
class TaskRecord:
    """One step of a run; an item of a map has `[i]` in its id. Times are UTC ISO 8601, durations seconds."""

    id: str
    kind: str
    status: TaskStatus
    started_at: str | None = None
    duration: float | None = None
    attempts: int = 0
    reason: str = ""
    failure: dict[str, Any] | None = None
    outputs: tuple[ArtifactRecord, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    progress: tuple[int, int] | None = None
    needs: tuple[str, ...] = ()
    parent: str | None = None
    cached_from: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """One execution of a pipeline."""

    id: str
    pipeline: str
    status: RunStatus
    parameters: dict[str, Any]
    created_at: str
    duration: float | None = None
    reason: str = ""
    parent: str | None = None
    tasks: tuple[TaskRecord, ...] = ()

    def task(self, name: str) -> TaskRecord | None:
        """The task of that id, if there is one."""
        return next((task for task in self.tasks if task.id == name), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class ModelVersion:
    """A registered model version with its lineage: the run and step that made it, its code, its data."""

    model: str
    version: int
    digest: str
    approval: Literal["approved", "pending", "rejected"]
    aliases: tuple[str, ...]
    metrics: dict[str, float]
    run: str
    step: str
    code: str
    data: dict[str, str]
    parameters: dict[str, Any]
    created_at: str
    path: str
    summary: str = ""
    decisions: tuple[dict[str, Any], ...] = ()
    """Who approved, rejected or promoted it, when and why, oldest first."""
    sample: tuple[dict[str, Any], ...] = ()
    """A few rows as an endpoint that serves it takes them."""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class EndpointRecord:
    """A live endpoint and what it says it serves."""

    name: str
    url: str
    status: str
    model: str | None = None
    version: int | None = None
    digest: str | None = None
    deployment: int | None = None
    error: str | None = None
    counters: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Explanation:
    """Why a task ran, did not run, or failed: a verdict in one line, then the reasons in words."""

    run: str
    task: str
    verdict: str
    reasons: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Invocation:
    """An endpoint's answer."""

    status: int
    content_type: str
    body: bytes
    model_version: str | None = None


@dataclass(frozen=True)
class Collected:
    """What `gc` removed, or would remove: counts and bytes."""

    objects: int
    bytes: int
    runs: int
    corrupt: tuple[str, ...] = ()
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Removed:
    """One thing that `destroy` removed, would remove or could not. `problem` is empty when all is well."""

    kind: str
    name: str
    problem: str = ""


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` did. `kept`: what stays, and why."""

    removed: tuple[Removed, ...]
    kept: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def complete(self) -> bool:
        return not any(one.problem for one in self.removed)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """One thing that `doctor` looked at. `fix` is a command, or what to change; `unknown`: it may not be looked at."""

    check: str
    status: Literal["ok", "warning", "missing", "unknown"]
    message: str
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Policy:
    """A policy in the provider's own form, for one identity; `how` tells how to attach it."""

    name: str
    identity: str
    document: dict[str, Any]
    how: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class CostItem:
    """What one thing may cost: between `low` and `high`, for each `unit` ("run" or "month")."""

    what: str
    unit: Literal["run", "month"]
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Cost:
    """An estimate from a price table of the day `as_of`, never a quote. `assumptions` say what it rests on."""

    currency: str
    as_of: str
    items: tuple[CostItem, ...]
    assumptions: tuple[str, ...] = ()

    def range(self, unit: str) -> tuple[float, float]:
        """The sum of the items of a unit."""
        mine = [item for item in self.items if item.unit == unit]
        return sum(item.low for item in mine), sum(item.high for item in mine)

    def to_dict(self) -> dict[str, Any]:
        """JSON types, with the sums."""
        return {**asdict(self), "run": list(self.range("run")), "month": list(self.range("month"))}


@dataclass(frozen=True)
class Event:
    """Something happened in a run that this process drives. `task` is None for the run itself."""

    run: str
    task: str | None
    status: str
    detail: str = ""
    progress: tuple[int, int] | None = None
    duration: float | None = None
    kind: str = ""


Listener: TypeAlias = Callable[[Event], None]
