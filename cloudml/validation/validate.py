"""The list of checks, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from cloudml.errors import Diagnostic, SpecError
from cloudml.spec import Pipeline
from cloudml.validation import flow, jobs, references, resources
from cloudml.validation.index import Index

Check: TypeAlias = Callable[[Index], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (
    flow.check_names,
    references.check_after,
    references.check_references,
    flow.check_cycles,
    flow.check_blocks,
    flow.check_maps,
    flow.check_conditions,
    flow.check_messages,
    jobs.check_arguments,
    jobs.check_tuning,
    jobs.check_retries,
    jobs.check_functions,
    resources.check_parameters,
    resources.check_names_used,
    resources.check_sources,
    resources.check_schedules,
    resources.check_rollouts,
    resources.check_thresholds,
    resources.check_native,
)


def validate(pipeline: Pipeline, locations: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
    """All findings at once, errors before warnings. `locations` gives `file:line` for names of steps."""
    index = Index(pipeline, locations)
    found = dict.fromkeys(finding for check in CHECKS for finding in check(index))
    return tuple(sorted(found, key=lambda finding: finding.severity != "error"))


def errors(findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings that forbid a run."""
    return tuple(finding for finding in findings if finding.severity == "error")


def raise_errors(pipeline: Pipeline, locations: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
    """Validate; raise SpecError with every error, or return the warnings."""
    findings = validate(pipeline, locations)
    wrong = errors(findings)
    if wrong:
        raise SpecError(wrong)
    return findings
