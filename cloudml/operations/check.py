"""Check: the pipeline as its author wrote it, held against the model and against a target. Nothing is run or sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudml.backend.port import Backend, Target
from cloudml.discovery import load_backend
from cloudml.errors import CloudmlError, Diagnostic, SpecError
from cloudml.operations.load import load_spec, sources_of
from cloudml.operations.project import Project

if TYPE_CHECKING:
    from cloudml.code import Sources
    from cloudml.spec import Pipeline


@dataclass(frozen=True)
class Checked:
    """What was found: errors and warnings, the first of the author's file first."""

    pipeline: str
    steps: int
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        return all(finding.severity != "error" for finding in self.diagnostics)


def check(project: Project, target: Target | None = None, pipeline: str | None = None) -> Checked:
    """Build and validate; with a target also fit, find the code and compile. Findings are returned, never raised."""
    from cloudml import spec
    from cloudml.backend.fit import fit
    from cloudml.validation import validate

    name = project.pipeline(pipeline)
    try:
        built, locations = load_spec(project, name)
    except SpecError as error:
        return Checked(name, 0, error.diagnostics)
    findings = list(validate(built, locations))
    sources = None
    try:
        sources = sources_of(built, project)
    except CloudmlError as error:
        findings += error.diagnostics
    if target is not None:
        backend = load_backend(target.backend)
        fitted = fit(built, backend.name, backend.features)
        findings += [*fitted.gaps, *fitted.emulated]
        if sources is not None and all(finding.severity != "error" for finding in findings):
            findings += _compiled(backend, built, target, sources)
    return Checked(name, sum(1 for _ in spec.walk(built.steps)), tuple(findings))


def _compiled(backend: Backend, pipeline: Pipeline, target: Target, sources: Sources) -> tuple[Diagnostic, ...]:
    """What only the backend's compiler finds: the target's settings, the provider's own limits."""
    try:
        backend.compile(pipeline, target, sources)
    except CloudmlError as error:
        return error.diagnostics
    return ()
