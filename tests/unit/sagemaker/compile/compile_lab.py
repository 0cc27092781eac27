"""A small workbench: pipelines written in a test, compiled, and their documents looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import SourceIndex, Sources
from cloudml.plan import Resource
from cloudml.testing.harness import SAMPLES, build, sources_of
from cloudml_sagemaker.compile import compile_pipeline
from cloudml_sagemaker.mock.pipelines.definition.parse import parse

SETTINGS: Mapping[str, Any] = {
    "region": "us-east-1",
    "role": "arn:aws:iam::123456789012:role/pipelines",
    "bucket": "my-bucket",
}
TARGET = Target("aws", "sagemaker", "samples", SAMPLES, SETTINGS)
RUN = {"Get": "Execution.PipelineExecutionId"}


def target(**settings: Any) -> Target:
    """The target with other settings."""
    return Target("aws", "sagemaker", "samples", SAMPLES, {**SETTINGS, **settings})


class Compiled:
    """What came of a pipeline. Accepted by the mock's own reading of definitions, or the test fails here."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self.resources = resources
        self.pipeline = next(one.document for one in resources if one.kind == "pipeline")
        self.definition = self.pipeline["definition"]
        parse(json.dumps(self.definition))
        self.steps = {step["Name"]: step for step in self._every(self.definition["Steps"])}

    def _every(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for step in steps:
            found.append(step)
            for name in ("IfSteps", "ElseSteps", "ForEachBody"):
                found += self._every(step["Arguments"].get(name, []))
        return found

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The declared parameters, without the salts that every definition has."""
        return [one for one in self.definition["Parameters"] if not one["Name"].startswith("cloudml-")]

    @property
    def top(self) -> list[str]:
        """The names of the steps at the top."""
        return [step["Name"] for step in self.definition["Steps"]]

    def arguments(self, name: str) -> dict[str, Any]:
        """The Arguments of a step."""
        return dict(self.steps[name]["Arguments"])

    def step_json(self, name: str) -> dict[str, Any]:
        """step.json of a job."""
        code = next(one for one in self.resources if one.kind == "job_code" and one.name == name)
        return dict(code.document["files"]["step.json"])

    def inputs(self, name: str) -> dict[str, Any]:
        """S3 URIs of a processing job's inputs by name, its code left out."""
        found = self.arguments(name)["ProcessingInputs"]
        return {one["InputName"]: one["S3Input"]["S3Uri"] for one in found if one["InputName"] != "cloudml"}

    def outputs(self, name: str) -> dict[str, Any]:
        """S3 URIs of a processing job's outputs by name."""
        found = self.arguments(name)["ProcessingOutputConfig"]["Outputs"]
        return {one["OutputName"]: one["S3Output"]["S3Uri"] for one in found}

    def of_kind(self, kind: str) -> list[Resource]:
        """The resources of one kind."""
        return [one for one in self.resources if one.kind == kind]


def compiled(pipeline: spec.Pipeline | str, on: Target = TARGET) -> Compiled:
    """Compile a sample (`sample_flow:chain`) or a spec whose functions are those of the samples."""
    made = build(pipeline) if isinstance(pipeline, str) else pipeline
    return Compiled(compile_pipeline(made, on, sources_of(made)))


def project_sources(root: Path, pipeline: spec.Pipeline) -> Sources:
    """The code of a pipeline in a folder of its own."""
    jobs = [step for step in spec.walk(pipeline.steps) if isinstance(step, spec.JobStep)]
    return SourceIndex(root).sources([(str(job.function), job.files) for job in jobs])


def job(name: str, *arguments: tuple[str, Any], function: str = "double", **fields: Any) -> spec.ProcessingStep:
    """A processing step over a function of sample_flow, with int inputs and output."""
    given = tuple(spec.Argument(name=key, value=value) for key, value in arguments)
    return spec.ProcessingStep(
        name=name,
        function=spec.FunctionRef(module="sample_flow", name=function),
        inputs=tuple(spec.Port(name=key, type="int") for key, _ in arguments),
        outputs=fields.pop("outputs", (spec.Port(name="output", type="int"),)),
        arguments=given,
        **fields,
    )


def out(step: str, output: str = "output", **fields: Any) -> spec.OutputRef:
    """An output of a step."""
    return spec.OutputRef(step=step, output=output, **fields)


def literal(value: Any) -> spec.LiteralValue:
    """A literal."""
    return spec.LiteralValue(value=value)


def pipeline(*steps: spec.Step, **fields: Any) -> spec.Pipeline:
    """A pipeline of these steps."""
    return spec.Pipeline(name="made", steps=steps, **fields)
