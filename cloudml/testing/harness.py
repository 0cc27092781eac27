"""A backend under test: opens it, builds the sample pipelines for it, runs them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudml import spec
from cloudml.authoring.pipelines import PipelineFunction
from cloudml.backend.fit import fit
from cloudml.backend.port import Backend, RunOptions, Session, Target
from cloudml.backend.records import Listener, RunRecord, TaskRecord
from cloudml.code import SourceIndex, Sources
from cloudml.discovery import load_backend
from cloudml.plan import Resource
from cloudml.validation import validate

SAMPLES = Path(__file__).with_name("samples")


@dataclass(frozen=True)
class Outside:
    """How a test puts things where the backend's jobs find them; by default that is this machine.

    `file` returns what to give as a path parameter for a file of this machine, which need not be there.
    """

    file: Callable[[Path], str] = str
    secret: Callable[[str, str], None] | None = None
    """Keeps a secret under a name; None: the environment variable `CLOUDML_SECRET_<name>` does."""


@dataclass(frozen=True)
class BackendSession:
    """An open backend and the target that it was opened with."""

    backend: Backend
    target: Target
    session: Session
    outside: Outside = field(default_factory=Outside)

    def resources(self, place: str) -> tuple[Resource, ...]:
        """The compiled form of a sample pipeline, `sample_flow:chain`.

        Skips the test when the backend's table says that it lacks something the pipeline needs. That is strict: what
        the table has must work, and what it lacks must be refused before anything is sent.
        """
        pipeline = build(place)
        fitted = fit(pipeline, self.backend.name, self.backend.features)
        if fitted.gaps:
            pytest.skip("; ".join(gap.message for gap in fitted.gaps))
        return self.backend.compile(pipeline, self.target, sources_of(pipeline))

    def run(
        self, place: str, options: RunOptions | None = None, listener: Listener | None = None, **parameters: Any
    ) -> RunRecord:
        """Run a sample pipeline to its end."""
        return self.session.runs.start(self.resources(place), parameters, options or RunOptions(), listener)

    def resume(self, record: RunRecord) -> RunRecord:
        """Go on with a run."""
        return self.session.runs.resume(record.id)

    def rerun(self, record: RunRecord, place: str, step: str) -> RunRecord:
        """A new run that computes a step, and all below it, anew."""
        return self.session.runs.rerun(record.id, step, self.resources(place))


@contextmanager
def open_backend(
    name: str,
    settings: Mapping[str, Any],
    outside: Outside = Outside(),
) -> Iterator[BackendSession]:
    """The backend of that name with a target of these settings, closed at the end."""
    backend = load_backend(name)
    target = Target("conformance", name, "samples", SAMPLES, settings)
    session = backend.connect(target)
    try:
        yield BackendSession(backend, target, session, outside)
    finally:
        session.close()


def build(place: str) -> spec.Pipeline:
    """The spec of a sample pipeline, which must be without fault."""
    if str(SAMPLES) not in sys.path:
        sys.path.insert(0, str(SAMPLES))
    module, _, name = place.partition(":")
    function = getattr(importlib.import_module(module), name)
    assert isinstance(function, PipelineFunction)
    pipeline, locations = function.build_with_locations()
    findings = validate(pipeline, locations)
    assert not findings, [str(finding) for finding in findings]
    return pipeline


def sources_of(pipeline: spec.Pipeline) -> Sources:
    """The code of every function that a sample pipeline names."""
    functions: list[tuple[str, tuple[str, ...]]] = []
    for step in spec.walk(pipeline.steps):
        job = step.job if isinstance(step, spec.TuningStep) else step
        if isinstance(job, spec.JobStep):
            functions.append((str(job.function), job.files))
        named = (getattr(job, field, None) for field in ("predictor", "function"))
        functions += [(str(one), ()) for one in named if isinstance(one, spec.FunctionRef)]
    return SourceIndex(SAMPLES).sources(dict.fromkeys(functions))


def states(record: RunRecord) -> dict[str, str]:
    """The state of every task by its id."""
    return {task.id: task.status for task in record.tasks}


def task(record: RunRecord, name: str) -> TaskRecord:
    """The task of that name, which must be there."""
    found = record.task(name)
    assert found is not None, f"{record.id} has no task {name}: {list(states(record))}"
    return found


def value(record: RunRecord, name: str, output: str = "output") -> Any:
    """A JSON output of a task."""
    return task(record, name).values[output]


def digests(record: RunRecord) -> dict[str, dict[str, str]]:
    """The digests of all outputs, by task and output."""
    return {task.id: {output.name: output.digest for output in task.outputs} for task in record.tasks}


def notes(side: Path) -> dict[str, int]:
    """How often each counting step ran."""
    return {path.name: path.stat().st_size for path in side.iterdir() if path.is_file()}
