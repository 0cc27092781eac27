"""Whether a pipeline fits a backend: its needs minus what the backend has, all gaps at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cloudml import spec
from cloudml.backend.feature import Feature, Level, Support
from cloudml.errors import Diagnostic


@dataclass(frozen=True)
class Fit:
    """The outcome for one pipeline on one backend: refusals, and the features that are emulated (with reasons)."""

    gaps: tuple[Diagnostic, ...]
    emulated: tuple[Diagnostic, ...]


_JOB_NEEDS: tuple[tuple[Feature, Callable[[spec.JobStep], bool]], ...] = (
    (Feature.RETRY, lambda job: job.retry is not None),
    (Feature.TIMEOUT, lambda job: job.timeout is not None),
    (Feature.SPOT, lambda job: job.spot is not None),
    (Feature.GPU, lambda job: job.resources.gpu > 0),
    (Feature.IMAGE, lambda job: job.image is not None),
    (Feature.CHECKPOINT, lambda job: isinstance(job, spec.TrainingStep) and job.checkpoint),
    (Feature.DISTRIBUTION, lambda job: isinstance(job, spec.TrainingStep) and job.distribution is not None),
    (Feature.SECRETS, lambda job: any(isinstance(argument.value, spec.SecretRef) for argument in job.arguments)),
)

_ENDPOINT_NEEDS: tuple[tuple[Feature, Callable[[spec.Endpoint], bool]], ...] = (
    (Feature.ROLLOUT_STEPS, lambda endpoint: len(endpoint.rollout.steps) > 1),
    (Feature.ROLLOUT_GUARDS, lambda endpoint: bool(endpoint.rollout.guards)),
    (Feature.SHADOW, lambda endpoint: endpoint.rollout.shadow is not None),
    (Feature.STICKY_ROUTING, lambda endpoint: endpoint.rollout.routing == "sticky"),
    (Feature.SCALING, lambda endpoint: endpoint.scaling.maximum > endpoint.scaling.minimum),
    (Feature.CAPTURE, lambda endpoint: endpoint.capture is not None),
)


def needs(pipeline: spec.Pipeline) -> dict[Feature, tuple[str, ...]]:
    """Every feature the pipeline uses, with the places (`step fit`, `endpoint churn`) that use it."""
    found: dict[Feature, list[str]] = {}
    for step in spec.walk(pipeline.steps):
        for feature in _step_needs(step):
            found.setdefault(feature, []).append(f"step {step.name}")
    for endpoint in pipeline.endpoints:
        for feature, needed in _ENDPOINT_NEEDS:
            if needed(endpoint):
                found.setdefault(feature, []).append(f"endpoint {endpoint.name}")
    if pipeline.schedule is not None:
        found[Feature.SCHEDULE] = [f"pipeline {pipeline.name}"]
    return {feature: tuple(places) for feature, places in found.items()}


def _step_needs(step: spec.BaseStep) -> Iterator[Feature]:
    yield Feature(getattr(step, "kind"))  # noqa: B009 - the base class has no kind
    if isinstance(step, spec.TuningStep) and step.pruning is not None:
        yield Feature.PRUNING
    job = step.job if isinstance(step, spec.TuningStep) else step
    if isinstance(job, spec.JobStep):
        yield from (feature for feature, needed in _JOB_NEEDS if needed(job))


def fit(pipeline: spec.Pipeline, backend: str, features: Mapping[Feature, Support]) -> Fit:
    """All gaps at once (CML301), and what is emulated (CML302, a warning: the plan lists it)."""
    gaps: list[Diagnostic] = []
    emulated: list[Diagnostic] = []
    unknown = Support(Level.NOT_IMPLEMENTED, "the backend does not say that it has it")
    for feature, places in needs(pipeline).items():
        support = features.get(feature, unknown)
        where = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
        reason = f": {support.reason}" if support.reason else ""
        if not support.usable:
            message = f"backend '{backend}' has no {feature.value} ({support.level.value}){reason}"
            gaps.append(Diagnostic("CML301", where, message, support.instead))
        elif support.level is Level.EMULATED:
            message = f"{feature.value} is emulated by backend '{backend}'{reason}"
            emulated.append(Diagnostic("CML302", where, message, support.instead, severity="warning"))
    return Fit(tuple(gaps), tuple(emulated))


def not_portable(pipeline: spec.Pipeline, backend: str) -> Iterator[str]:
    """A line for each native option: which fields of which provider's document it sets, and what becomes of it here."""
    places: list[tuple[str, tuple[spec.NativeOption, ...]]] = [(f"pipeline {pipeline.name}", pipeline.native)]
    for step in spec.walk(pipeline.steps):
        job = step.job if isinstance(step, spec.TuningStep) else step
        places.append((f"step {step.name}", getattr(job, "native", ())))
    places += [(f"endpoint {one.name}", one.native) for one in pipeline.endpoints]
    places += [(f"monitor {one.name}", one.native) for one in pipeline.monitors]
    for where, options in places:
        for option in options:
            fields = ", ".join(sorted(option.document))
            fate = "not portable" if option.backend == backend else f"left out on backend '{backend}'"
            yield f"{where}: native options of '{option.backend}' ({fields}) are {fate}"
