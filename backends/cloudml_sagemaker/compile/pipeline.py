"""A pipeline becomes code, a definition (version 2020-12-01) and the requests around it. All findings come at once."""

from __future__ import annotations

import json

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import Sources
from cloudml.errors import Diagnostic, SpecError
from cloudml.plan import Resource
from cloudml.plan.resource import canonical
from cloudml.remote.layout import lay_out
from cloudml.spec import types
from cloudml.spec.values import Scalar
from cloudml_sagemaker import names
from cloudml_sagemaker.compile import alerts, checks, control, flow, monitors, schedule
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.expressions import CONTENT, FRESH, SAME
from cloudml_sagemaker.compile.policies import merged
from cloudml_sagemaker.compile.wiring import EXTERNAL, RUN_TIME
from cloudml_sagemaker.target import Place

VERSION = "2020-12-01"
MOST_CHOICES = 16
ABOUT = "cloudml"
"""The key in the definition's Metadata: the published schema has it as a map from texts to texts."""
_TYPES = {"bool": "Boolean", "int": "Integer", "float": "Float", "str": "String", "path": "String", "json": "String"}


def compile_pipeline(pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]:
    """The code of each job in the order of the steps, then topics, queue, pipeline, and all that stands around it.

    Raises SpecError with everything that cannot be made for SageMaker (CML330 to CML349).
    """
    context = Context(pipeline, Place.of(target), sources, lay_out(pipeline))
    name = names.pipeline(target.project, target.name, pipeline.name)
    _check_limits(context)
    document = _document(context, name)
    around = [*_queue(context), Resource.of("pipeline", name, document), *_groups(context), *_schedule(context, name)]
    around += control.endpoints(context)
    around = [*alerts.topics(context), *around, *monitors.resources(context, name)]
    around += _schedule_group(context, around)
    checks.check(context, document)
    if context.findings:
        raise SpecError(context.findings)
    return (*context.resources, *around)


def _document(context: Context, name: str) -> Document:
    pipeline = context.pipeline
    steps = flow.emit_steps(context, pipeline.steps)
    steps += flow.emit_finally(context, steps)
    flow.declare_results(steps)
    document: Document = {"PipelineName": name, "PipelineDisplayName": name, "RoleArn": context.place.role}
    if pipeline.description:
        document["PipelineDescription"] = pipeline.description[:3072]
    if pipeline.max_parallel is not None:
        document["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": pipeline.max_parallel}
    document["Tags"] = tags(context)
    document["definition"] = {
        "Version": VERSION,
        "Metadata": {ABOUT: _about(pipeline)},
        "Parameters": [*(_parameter(context, one) for one in pipeline.parameters), *_salts()],
        "Steps": steps,
    }
    return merged(document, pipeline.native)


def _about(pipeline: spec.Pipeline) -> str:
    """What a definition has no words for: the author's name of the pipeline, and its parameters as declared."""
    declared = [one.model_dump(mode="json") for one in pipeline.parameters]
    return canonical({"format": 1, "pipeline": pipeline.name, "parameters": declared})


def _salts() -> list[Document]:
    return [{"Name": name, "Type": "String", "DefaultValue": SAME} for name in (FRESH, CONTENT)]


def tags(context: Context) -> list[Document]:
    """Those by which the pipeline is found again, the target's and the author's."""
    own = {one.key: one.value for one in context.pipeline.tags}
    together = {**dict(context.place.tags), **own, **control.identity(context)}
    return [{"Key": key, "Value": value} for key, value in sorted(together.items())]


def _parameter(context: Context, parameter: spec.Parameter) -> Document:
    found: Document = {"Name": names.parameter(parameter.name), "Type": _TYPES[parameter.type]}
    if not parameter.required:
        found["DefaultValue"] = _default(parameter)
    choices = list(parameter.choices)
    if 0 < len(choices) <= MOST_CHOICES and parameter.type != "json":
        found["EnumValues"] = [float(one) for one in choices] if parameter.type == "float" else choices
    if parameter.description:
        found["Description"] = parameter.description
    return found


def _default(parameter: spec.Parameter) -> Scalar:
    value = parameter.default
    if isinstance(value, spec.RunRef):
        return RUN_TIME
    if parameter.type == "json":
        return json.dumps(value, ensure_ascii=False)
    if parameter.type == "float":
        assert isinstance(value, int | float)
        return float(value)
    assert isinstance(value, bool | int | str), "validation: a default has the parameter's type"
    return value


def _check_limits(context: Context) -> None:
    """What the pipeline as a whole asks, and SageMaker has not."""
    pipeline = context.pipeline
    if pipeline.timeout is not None:
        message = "SageMaker has no time limit for a whole run"
        context.findings.append(Diagnostic("CML340", f"pipeline {pipeline.name}", message, "give the steps timeouts"))
    if not any(not isinstance(step, spec.FinallyStep) for step in pipeline.steps):
        message = "SageMaker has no pipelines without a step"
        context.findings.append(Diagnostic("CML339", f"pipeline {pipeline.name}", message, "add a step"))
    files = _files(context)
    for parameter in pipeline.parameters:
        where = f"parameter {parameter.name}"
        if parameter.name in files and isinstance(parameter.default, str) and not parameter.default.startswith("s3://"):
            message = f"its default {parameter.default!r} is a file of this machine, which a job cannot see"
            hint = f"give it with each run (--param {parameter.name}=FILE uploads it), or write s3://bucket/… here"
            context.findings.append(Diagnostic("CML337", where, message, hint))
        room = checks.LONGEST_ARGUMENT - len(f"parameters.{parameter.name}=")
        if not parameter.required and len(str(_default(parameter))) > room:
            message = f"its default is longer than the {room} characters that a job can be given"
            context.findings.append(Diagnostic("CML336", where, message, "put it into a file of the project"))


def _files(context: Context) -> set[str]:
    """The parameters that fill inputs that are files."""
    found: set[str] = set()
    for step in spec.walk(context.pipeline.steps):
        job = step.job if isinstance(step, spec.TuningStep) else step
        if not isinstance(job, spec.JobStep):
            continue
        ports = {port.name: port for port in job.inputs}
        for argument in job.arguments:
            port = ports.get(argument.name)
            external = port and (port.mode == "handle" or types.canonical(port.type) in EXTERNAL)
            if external and isinstance(argument.value, spec.ParameterRef):
                found.add(argument.value.name)
    return found


def _queue(context: Context) -> list[Resource]:
    """Where questions to people lie."""
    if not any(isinstance(step, spec.ApproveStep) for step in spec.walk(context.pipeline.steps)):
        return []
    name = control.queue_name(context)
    attributes = {"MessageRetentionPeriod": str(14 * 86_400)}
    return [Resource.of("queue", name, {"QueueName": name, "Attributes": attributes, "tags": _plain(context)})]


def _groups(context: Context) -> list[Resource]:
    """One model package group for each model that a step registers."""
    models = dict.fromkeys(
        step.model_name for step in spec.walk(context.pipeline.steps) if isinstance(step, spec.RegisterStep)
    )
    labels = [{"Key": key, "Value": value} for key, value in _plain(context).items()]
    found = []
    for model in models:
        name = context.resource_name(model)
        document = {"ModelPackageGroupName": name, "ModelPackageGroupDescription": model, "Tags": labels}
        found.append(Resource.of("model_group", name, document))
    return found


def _plain(context: Context) -> dict[str, str]:
    """Tags of what several pipelines of a target may share."""
    identity = control.identity(context)
    identity.pop("cloudml:pipeline")
    return dict(sorted({**dict(context.place.tags), **identity}.items()))


def _schedule(context: Context, pipeline: str) -> list[Resource]:
    document = schedule.request(context, pipeline)
    return [] if document is None else [Resource.of("schedule", document["Name"], document)]


def _schedule_group(context: Context, resources: list[Resource]) -> list[Resource]:
    """The group that the schedules among these lie in, once."""
    groups = dict.fromkeys(one.document["GroupName"] for one in resources if one.kind == "schedule")
    labels = [{"Key": key, "Value": value} for key, value in _plain(context).items()]
    return [Resource.of("schedule_group", name, {"Name": name, "Tags": labels}) for name in groups]
