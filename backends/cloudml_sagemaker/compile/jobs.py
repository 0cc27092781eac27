"""Processing steps: the one kind of job that functions, groups and all of cloudml's own actions become.

Limits and members: CreateProcessingJob in the service model; the layout in the container is that of `container/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudml import spec
from cloudml.remote.layout import Position
from cloudml_sagemaker import machines
from cloudml_sagemaker.compile import bundle, policies
from cloudml_sagemaker.compile.context import Context, Document, main_name
from cloudml_sagemaker.compile.expressions import CONTENT, FRESH, RESULT, get, join
from cloudml_sagemaker.compile.wiring import Wiring

BASE = "/opt/ml/processing"
MOST_INPUTS = 10
MOST_OUTPUTS = 10
NEVER = spec.Cache(enabled=False)


@dataclass
class Job:
    """What one job of the definition runs, before it is written as a request.

    `document`: the members of step.json that belong to its kind; `outputs`: its output folders beside `result`, with
    where they go when that is not the usual place.
    """

    name: str
    position: Position
    wiring: Wiring
    document: Document
    part: str = "main"
    functions: tuple[str, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)
    resources: spec.Resources = field(default_factory=spec.Resources)
    image: str | None = None
    retry: spec.Retry | None = None
    timeout: float | None = None
    cache: spec.Cache = NEVER
    environment: tuple[spec.EnvironmentVariable, ...] = ()
    native: tuple[spec.NativeOption, ...] = ()
    tags: tuple[spec.Tag, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def step(self) -> spec.BaseStep:
        """The author's step."""
        return self.position.step


def step_document(context: Context, job: Job) -> Document:
    """step.json, as far as the request's own kind leaves it open."""
    job.wiring.index()
    salt(job)
    guards = job.wiring.guard()
    items = job.wiring.items()
    return {
        "version": bundle.VERSION,
        "step": job.name,
        "task": bundle.task(context, job.step, job.part),
        "project": context.place.project,
        "prefix": context.place.base,
        "sources": job.wiring.sources,
        "guards": guards,
        "items": items,
        **job.document,
    }


def reusable(job: Job) -> bool:
    """Whether SageMaker may take an earlier result of the job."""
    return job.cache.enabled and not job.position.final


def salt(job: Job) -> None:
    """What a run may change so that a result is not reused: SageMaker looks at requests only.

    `fresh`: all is to be computed anew; `content`: a file from outside has changed behind its address. What is never
    reused is told the run's id.
    """
    if not reusable(job):
        job.wiring.sets["run.id"] = get("Execution.PipelineExecutionId")
        return
    job.wiring.sets["fresh"] = get(f"Parameters.{FRESH}")
    if any(source.get("form") == "external" for source in job.wiring.sources.values()):
        job.wiring.sets["content"] = get(f"Parameters.{CONTENT}")


def processing(context: Context, job: Job) -> Document:
    """The Processing step of a job."""
    document = step_document(context, job)
    prefix = bundle.code(context, job.name, document, job.functions)
    arguments: Document = {
        "ProcessingInputs": _inputs(job.wiring, prefix),
        "ProcessingOutputConfig": _outputs(context, job),
        "ProcessingResources": {"ClusterConfig": _cluster(context, job)},
        "StoppingCondition": {"MaxRuntimeInSeconds": policies.longest(job.timeout, job.retry)},
        "AppSpecification": {
            "ImageUri": job.image or context.place.job_image(job.resources),
            "ContainerEntrypoint": ["python3", f"{BASE}/input/cloudml/start.py"],
            **container_arguments(job.wiring),
        },
        "RoleArn": context.place.role,
        **common(context, job),
    }
    if network := policies.network(context.place):
        arguments["NetworkConfig"] = {"VpcConfig": network}
    _check(context, job, arguments)
    return written(context, job, "Processing", arguments)


def written(context: Context, job: Job, kind: str, arguments: Document, *, caches: bool = True) -> Document:
    """A step of the definition with what may stand beside its Arguments."""
    found = headed(job.step, job.name, kind)
    found["Arguments"] = policies.merged(arguments, job.native)
    if after := depends_on(context, job):
        found["DependsOn"] = after
    if caches and reusable(job):
        found["CacheConfig"] = {"Enabled": True, "ExpireAfter": policies.expiry(job.cache)}
    if retries := policies.retries(job.retry, tuning=kind == "Tuning"):
        found["RetryPolicies"] = retries
    return found


def headed(step: spec.BaseStep, name: str, kind: str) -> Document:
    """What a step of any type begins with (StepDescription: 3072 characters)."""
    found: Document = {"Name": name, "Type": kind, "DisplayName": step.name}
    return {**found, "Description": step.description[:3072]} if step.description else found


def depends_on(context: Context, job: Job) -> list[str]:
    """The steps that are waited for though nothing of theirs is read."""
    named = [name for step in job_steps(job) for name in step.after]
    found: dict[str, None] = dict(job.wiring.after)
    for name in named:
        for one in ends_of(context, name):
            found[one] = None
    found.pop(job.name, None)
    return list(found)


def job_steps(job: Job) -> list[spec.BaseStep]:
    """The author's steps that run in a job, and the blocks around them that are no steps of the definition."""
    inside = list(spec.walk((job.step,))) if isinstance(job.step, spec.GroupStep) else [job.step]
    return [*inside, *flat_parents(job.position)]


def flat_parents(position: Position) -> list[spec.BaseStep]:
    """The groups and guarded conditions just around a step: what they wait for, their members wait for."""
    found: list[spec.BaseStep] = []
    for parent in reversed(position.parents):
        if not isinstance(parent, spec.GroupStep):
            break
        found.append(parent)
    return found


def ends_of(context: Context, name: str) -> list[str]:
    """The steps of the definition that have ended when an author's step has, whatever its kind."""
    step = context.position(name).step
    if context.position(name).job is not None:
        return [main_name(context, name)]
    if isinstance(step, spec.ConditionStep):
        decide = [context.name(name, "decide")] if name in context.layout.guarded else []
        return decide + [one for child in spec.children(step) for one in ends_of(context, child.name)]
    if isinstance(step, spec.GroupStep) and not any(
        context.position(child.name).job is step for child in spec.children(step)
    ):
        return [one for child in spec.children(step) for one in ends_of(context, child.name)]
    return [main_name(context, name)]


def container_arguments(wiring: Wiring) -> Document:
    """`--set name=value` for what is known only when the pipeline runs."""
    texts = [text for name, value in sorted(wiring.sets.items()) for text in ("--set", join("=", name, value))]
    return {"ContainerArguments": texts} if texts else {}


def common(context: Context, job: Job) -> Document:
    """Environment and tags, as any kind of job has them."""
    found: Document = {}
    if job.environment:
        found["Environment"] = {one.name: one.value for one in job.environment}
    tags = {**dict(context.place.tags), **{one.key: one.value for one in job.tags}}
    if tags:
        found["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    return found


def machine(context: Context, job: Job, kind: machines.Kind) -> str:
    """The instance type of a job; what no machine has is a finding."""
    try:
        return machines.choose(job.resources, kind).name
    except machines.NoMachine as problem:
        hint = 'ask for less, or name a machine: native={"sagemaker": {...}}'
        context.find("CML331", job.step.name, str(problem), hint)
        return machines.known()[0].name


def _cluster(context: Context, job: Job) -> Document:
    found: Document = {
        "InstanceCount": 1,
        "InstanceType": machine(context, job, "processing"),
        "VolumeSizeInGB": machines.volume(job.resources),
    }
    if context.place.kms and not machines.has_local_disk(found["InstanceType"]):
        found["VolumeKmsKeyId"] = context.place.kms
    return found


def _inputs(wiring: Wiring, prefix: str) -> list[Document]:
    uris = {"cloudml": prefix, **wiring.uris}
    return [
        {
            "InputName": name,
            "S3Input": {
                "S3Uri": uri,
                "LocalPath": f"{BASE}/input/{name}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        for name, uri in uris.items()
    ]


def _outputs(context: Context, job: Job) -> Document:
    outputs = {**job.outputs, RESULT: None}
    found: Document = {
        "Outputs": [
            {
                "OutputName": name,
                "S3Output": {
                    "S3Uri": uri or context.run_uri(job.position, job.name, name),
                    "LocalPath": f"{BASE}/output/{name}",
                    "S3UploadMode": "EndOfJob",
                },
            }
            for name, uri in outputs.items()
        ]
    }
    if context.place.kms:
        found["KmsKeyId"] = context.place.kms
    return found


def _check(context: Context, job: Job, arguments: Document) -> None:
    inputs, outputs = len(arguments["ProcessingInputs"]), len(job.outputs) + 1
    step = job.step.name
    if inputs > MOST_INPUTS:
        message = f"it reads {inputs - 1} outputs of other steps, and a processing job has {MOST_INPUTS - 1} inputs"
        hint = "let an earlier step put several values into one output, or run the steps in one job: ml.group"
        context.find("CML332", step, message, hint)
    if outputs > MOST_OUTPUTS:
        message = f"it has {outputs - 1} outputs, and a processing job has {MOST_OUTPUTS - 1}"
        context.find("CML332", step, message, "put several values into one output, or split the step")
    if RESULT in job.outputs:
        message = f"an output is named {RESULT!r}, where the job's own result lies"
        context.find("CML335", step, message, "rename the output")
