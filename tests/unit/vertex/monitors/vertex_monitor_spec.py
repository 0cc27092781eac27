"""Pipelines with monitors and alerts, and as much of a compilation as these two need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml_vertex import names

Document = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """A target."""

    project: str = "samples"
    target: str = "mock"
    account: str = "mock-project"
    parent: str = "projects/mock-project/locations/us-central1"
    base: str = "gs://data/samples/mock"
    kms: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    monitors: str = "portable"

    def identity(self, pipeline: str = "") -> dict[str, str]:
        own = {"cloudml-project": names.label(self.project), "cloudml-target": names.label(self.target)}
        return {**own, **({"cloudml-pipeline": names.label(pipeline)} if pipeline else {})}


@dataclass
class Compilation:
    """`compile.port.Compiling`."""

    pipeline: spec.Pipeline
    place: Account = field(default_factory=Account)
    findings: list[Diagnostic] = field(default_factory=list)

    def resource_name(self, name: str) -> str:
        return names.resource(self.place.project, self.place.target, name)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Code and subject of each finding."""
        return [(one.code, one.where) for one in self.findings]

    @property
    def step(self) -> spec.MonitorStep:
        """The monitor's step."""
        return next(one for one in self.pipeline.steps if isinstance(one, spec.MonitorStep))


class Wired:
    """Values as the spec has them."""

    def value(self, value: Any) -> Document:
        return {"run": value.field} if isinstance(value, spec.RunRef) else {"port": value.output}

    def artifact(self, value: Any) -> Document:
        return {"stored": value.output}


def monitor(**fields: Any) -> spec.Monitor:
    """An hourly watch over psi, without further ado."""
    given: Document = {
        "name": "drift",
        "schedule": spec.Every(interval=3600),
        "thresholds": (spec.Threshold(statistic="psi", limit=0.2, min_samples=20),),
        "window": 3600.0,
        **fields,
    }
    return spec.Monitor(**given)


def native(**fields: Any) -> spec.Monitor:
    """One that Vertex AI's monitoring can do."""
    limits = (spec.Threshold(statistic="js", limit=0.1), spec.Threshold(statistic="linf", limit=0.2))
    return monitor(**{"thresholds": limits, **fields})


def pipeline(watched: spec.Monitor, **fields: Any) -> spec.Pipeline:
    """Data, a model, its version, its endpoint, and the monitor on it."""
    steps = (
        _step("data", spec.Port(name="table", type="polars.DataFrame")),
        _step("fit", spec.Port(name="model", type="cloudml.Model")),
        spec.RegisterStep(name="version", model=spec.OutputRef(step="fit", output="model"), model_name="churn"),
        spec.DeployStep(name="serve", version=spec.OutputRef(step="version", output="version"), endpoint="live"),
        spec.MonitorStep(
            name="watched",
            endpoint=spec.OutputRef(step="serve", output="endpoint"),
            monitor=watched.name,
            baseline=spec.OutputRef(step="data", output="table"),
        ),
    )
    given: Document = {
        "name": "made",
        "steps": steps,
        "endpoints": (spec.Endpoint(name="live", capture=spec.Capture()),),
        "monitors": (watched,),
        **fields,
    }
    return spec.Pipeline(**given)


def _step(name: str, port: spec.Port) -> spec.ProcessingStep:
    function = spec.FunctionRef(module="sample_flow", name="double")
    return spec.ProcessingStep(name=name, function=function, outputs=(port,))
