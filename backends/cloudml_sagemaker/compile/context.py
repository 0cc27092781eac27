"""What every emitter knows: the pipeline, the target, the layout, the code; and where findings and code go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudml import spec
from cloudml.code import Sources
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml.remote.layout import Layout, Position
from cloudml_sagemaker import names
from cloudml_sagemaker.compile.expressions import get, join
from cloudml_sagemaker.target import Place

Document = dict[str, Any]
BACKEND = "sagemaker"
PORTABLE = "portable"
"""Of the target's setting `tuning`: one job searches, as the local backend does."""


@dataclass
class Context:
    """One compilation. `resources`: the code of each job, in the order of the steps."""

    pipeline: spec.Pipeline
    place: Place
    sources: Sources
    layout: Layout
    findings: list[Diagnostic] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    """Generated steps, by name: the author's step that each serves."""

    def find(self, code: str, step: str, message: str, hint: str) -> None:
        """Note that something of a step cannot be compiled."""
        self.findings.append(Diagnostic(code, f"step {step}", message, hint))

    def position(self, name: str) -> Position:
        """Where a step lies."""
        return self.layout.positions[name]

    def name(self, step: str, role: str = "") -> str:
        """The name of a step of the definition; of a generated one when it has a role."""
        found = names.step(step, role)
        if role:
            self.parts[found] = step
        return found

    def resource_name(self, name: str) -> str:
        """The name in the account of a model group or an endpoint."""
        return names.resource(self.place.project, self.place.target, name)

    def run_uri(self, position: Position, *folders: str) -> Document:
        """A folder of this run: `s3://bucket/prefix/runs/<execution>/<folders>`, one for each item of a map."""
        index = (get("ForEach.CurrentItem"),) if position.map is not None else ()
        return join("/", f"{self.place.base}/runs", get("Execution.PipelineExecutionId"), *folders, *index)

    def parameter(self, name: str) -> spec.Parameter:
        """A declared parameter."""
        return next(one for one in self.pipeline.parameters if one.name == name)


def main_name(context: Context, step: str) -> str:
    """The step of the definition whose end is the end of an author's step."""
    position = context.position(step)
    if position.job is not None:
        return context.name(position.job.name)
    if isinstance(position.step, spec.TuningStep) and not trains(context, position.step):
        return context.name(step, "best")
    return context.name(step)


def trains(context: Context, step: spec.BaseStep) -> bool:
    """Whether a step is a training job, whose outputs lie together in an archive."""
    searches = isinstance(step, spec.TuningStep) and context.place.tuning == PORTABLE
    return searches or isinstance(step, spec.TrainingStep)
