"""The port: what a backend is. A frozen value of a few small protocols, found by entry point `cloudml.backends`.

The contract, in prose:

- `compile` is pure and deterministic: no clock, no random id, no session. What it returns is what is sent.
- `connect` opens the backend's world (a state directory, an account). It must be cheap; SDKs load on first use.
- Everything that writes is safe to repeat. A run that was cut off is reported as `interrupted`, and `resume` ends it
  with the same results; nothing that ended is run again.
- `observe` shows the world as it is, `apply` makes it what was planned and refuses when the world has moved since.
- Names of runs, tasks, models and endpoints come from users: a backend checks them before it touches a path or an API.
- Errors are those of `cloudml.errors`; an SDK's own exception never leaves a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cloudml.backend.records import (
    Collected,
    Cost,
    Destroyed,
    EndpointRecord,
    Explanation,
    Finding,
    Invocation,
    Listener,
    ModelVersion,
    Policy,
    RunRecord,
    TaskRecord,
)
from cloudml.plan import Observed, Plan, Resource

if TYPE_CHECKING:
    from cloudml import spec
    from cloudml.backend.feature import Feature, Support
    from cloudml.backend.image import Images
    from cloudml.code import Sources


@dataclass(frozen=True)
class Target:
    """Where to deploy: a named section of cloudml.toml. `settings` are the backend's own words.

    `root` is the project's folder, `source` the one that its modules are imported from (None: the same).
    """

    name: str
    backend: str
    project: str
    root: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None


@dataclass(frozen=True)
class RunOptions:
    """How a run is driven.

    `parallel`: cores to use (None: the target's setting, else all). `wait`: stay while a person's approval is
    pending instead of leaving the run `waiting`. `cache`: False computes everything anew.
    """

    parallel: int | None = None
    wait: bool = False
    cache: bool = True


class Runs(Protocol):
    """Starting and observing runs."""

    def start(
        self,
        resources: Sequence[Resource],
        parameters: Mapping[str, Any],
        options: RunOptions = ...,
        listener: Listener | None = None,
    ) -> RunRecord:
        """Run to the end (or until it waits for a person). Raises SpecError for a wrong parameter."""

    def resume(
        self,
        run: str,
        options: RunOptions = ...,
        listener: Listener | None = None,
        resources: Sequence[Resource] | None = None,
    ) -> RunRecord:
        """Go on with a run that was interrupted, stopped, failed or waiting; what succeeded is not run again.

        `resources` are the pipeline as it is now: what has not run yet runs the code of today (None: as it was).
        """

    def rerun(
        self,
        run: str,
        from_step: str | None,
        resources: Sequence[Resource],
        options: RunOptions = ...,
        listener: Listener | None = None,
    ) -> RunRecord:
        """A new run with the parameters of an old one, computing `from_step` and all below it anew."""

    def stop(self, run: str) -> RunRecord:
        """Ask a running run to stop, and wait until it did."""

    def list(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        """Newest first, without tasks."""

    def get(self, run: str) -> RunRecord:
        """With tasks. `last` names the newest. Raises NotFound."""

    def rehearse(self, run: str, task: str, resources: Sequence[Resource], folder: Path) -> TaskRecord:
        """Compute one task of an old run again on this machine: today's code on the run's real inputs.

        Nothing of the run changes; inputs, outputs and the log are laid into `folder`. Raises NotFound, Refused.
        """

    def fetch(self, run: str, task: str, output: str, folder: Path) -> Path:
        """Bring an output's file or folder to this machine, checked against its digest; where it lies then.

        Raises NotFound, CorruptArtifact.
        """

    def logs(self, run: str, task: str, follow: bool = False) -> Iterator[str]:
        """Lines of all attempts of a task, as far as they are written."""

    def why(self, run: str, task: str | None = None) -> Sequence[Explanation]:
        """Why each task (or one) ran, was reused, was skipped or failed."""

    def approve(self, run: str, task: str, who: str, reason: str, approved: bool = True) -> RunRecord:
        """Record a person's decision on a waiting approval. Raises Refused when none is awaited."""


class Models(Protocol):
    """The model registry."""

    def list(self, model: str | None = None) -> list[ModelVersion]:
        """Versions, newest first."""

    def get(self, model: str, version: int | None = None, alias: str | None = None) -> ModelVersion:
        """Raises NotFound."""

    def decide(self, model: str, version: int, approved: bool, who: str, reason: str) -> ModelVersion:
        """Approve or reject a version."""

    def promote(self, model: str, version: int, alias: str, who: str, reason: str) -> ModelVersion:
        """Move an alias to a version. Raises Refused when it is not approved."""

    def export(self, model: str, version: int, folder: Path) -> ModelVersion:
        """Lay a version, with its files and lineage, into an empty folder, for `adopt` elsewhere."""

    def adopt(self, folder: Path, who: str, reason: str) -> ModelVersion:
        """Register what `export` laid down, by its digest: what is there already is found, not made again.

        The decisions travel with it; this one is added. Raises Refused, CorruptArtifact.
        """


class Endpoints(Protocol):
    """Live endpoints."""

    def list(self) -> list[EndpointRecord]:
        """All, by name."""

    def get(self, name: str) -> EndpointRecord:
        """Raises NotFound."""

    def invoke(self, name: str, body: bytes, content_type: str, timeout: float = 60.0) -> Invocation:
        """One request to the endpoint."""

    def stop(self, name: str) -> EndpointRecord:
        """Take it out of service; a later deploy brings it back."""

    def start(self, name: str) -> EndpointRecord:
        """Serve again what it served last."""

    def rollback(self, name: str, who: str, reason: str) -> EndpointRecord:
        """Back to what it served before, with the same care as a deploy. Raises Refused when there is nothing."""

    def logs(self, name: str) -> Iterator[str]:
        """The lines its processes wrote."""


class Session(Protocol):
    """An open backend."""

    @property
    def runs(self) -> Runs: ...
    @property
    def models(self) -> Models: ...
    @property
    def endpoints(self) -> Endpoints: ...

    def observe(self, resources: Sequence[Resource]) -> list[Observed]:
        """What exists of these, and what was applied for the same pipeline and is not among them any more. Reads."""

    def apply(self, resources: Sequence[Resource], plan: Plan) -> None:
        """Make it so, change by change, each atomic; journalled, so that the next apply ends what this one began.

        Raises Refused: CML530 when the world or the resources are not those that the plan was made for, CML531 when
        somebody else applies.
        """

    def destroy(self, dry_run: bool, keep_data: bool) -> Destroyed:
        """Remove all that cloudml made for this project and target, and nothing else; found by its marks, not by
        memory. With `keep_data` data, models and logs stay. Safe to repeat.
        """

    def collect(self, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
        """Remove what nothing needs; with `verify`, also what is damaged."""

    def close(self) -> None: ...


class Compile(Protocol):
    def __call__(self, pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]: ...


class Connect(Protocol):
    def __call__(self, target: Target) -> Session: ...


@dataclass(frozen=True)
class Backend:
    """A backend as a value."""

    name: str
    description: str
    features: Mapping[Feature, Support]
    compile: Compile
    connect: Connect
    cost: Callable[[Target, Sequence[Resource]], Cost | None] | None = None
    """What it may cost, from a dated table. Pure."""
    doctor: Callable[[Target, Sequence[Resource]], Iterator[Finding]] | None = None
    """Who one is, what is missing for these resources (none: for any), and what grants it. Reads."""
    permissions: Callable[[Target, Sequence[Resource]], tuple[Policy, ...]] | None = None
    """The least policies that these resources need. Pure."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The target settings it reads, each with one line of help; others are refused."""
    deferred: frozenset[str] = frozenset()
    """Kinds of resources that a run makes, not an apply. Until then they are not observed."""
    facts: Callable[[], Mapping[str, Any]] | None = None
    """What a plan records besides, such as the version of the provider's model. Cheap; imports no SDK."""
    image: Images | None = None
    """Where images baked for its containers go; None when it has no containers."""
