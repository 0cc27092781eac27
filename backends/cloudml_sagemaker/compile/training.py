"""Training steps: a function whose outputs travel in model.tar.gz, on spot machines and several of them if asked.

Limits and members: CreateTrainingJob in the service model.
"""

from __future__ import annotations

import math

from cloudml import spec
from cloudml_sagemaker import machines
from cloudml_sagemaker.compile import bundle, policies
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.functions import function, job_of
from cloudml_sagemaker.compile.jobs import Job, common, container_arguments, machine, step_document, written
from cloudml_sagemaker.compile.wiring import Wiring

DATA = "/opt/ml/input/data"
CHECKPOINTS = "/opt/ml/checkpoints"
MOST_CHANNELS = 20
MOST_METRICS = 40
NUMBER = r"([-+0-9.eEinfa]+)"
"""What a metric's line holds: any float as Python writes it."""


def emit_training(context: Context, step: spec.TrainingStep) -> list[Document]:
    """One Training step."""
    position = context.position(step.name)
    wiring = Wiring(context, position)
    document = {"kind": "job", **function(step, wiring), **extras(step)}
    job = job_of(context, position, step, document, wiring, context.name(step.name))
    _uncheckpointed_cache(step, job)
    prefix = bundle.code(context, job.name, step_document(context, job), job.functions)
    command = {"ContainerEntrypoint": ["python3", f"{DATA}/cloudml/start.py"], **container_arguments(job.wiring)}
    definition = job_definition(context, step, job, prefix, metrics(step), command)
    return [written(context, job, "Training", {**definition, **common(context, job)})]


def _uncheckpointed_cache(step: spec.TrainingStep, job: Job) -> None:
    # AWS's cache key has the checkpoint's URI in it, which is the run's own: it would never be found again.
    if keeps_checkpoints(step):
        job.cache = spec.Cache(enabled=False)


def keeps_checkpoints(step: spec.TrainingStep) -> bool:
    """Whether there is a folder that outlives an attempt; a spot machine always needs one."""
    return step.checkpoint or step.spot is not None


def extras(step: spec.TrainingStep) -> Document:
    """What step.json says of a training beyond any other function."""
    shared = step.distribution
    return {
        "checkpoint": keeps_checkpoints(step),
        "distribution": None if shared is None else shared.model_dump(mode="json"),
    }


def metrics(step: spec.TrainingStep) -> list[Document]:
    """The lines that carry metrics: `cloudml:metric <port>.<field>=<number>`."""
    names = [f"{port.name}.{field}" for port in step.outputs if port.mode == "metrics" for field in port.fields]
    return [metric(name) for name in names[:MOST_METRICS]]


def metric(name: str) -> Document:
    """One metric definition."""
    return {"Name": name, "Regex": f"cloudml:metric {name.replace('.', chr(92) + '.')}={NUMBER}"}


def job_definition(
    context: Context, step: spec.TrainingStep, job: Job, prefix: str, found: list[Document], command: Document
) -> Document:
    """What CreateTrainingJob and a tuning job's TrainingJobDefinition have in common; `command`: how it is started."""
    place = context.place
    algorithm: Document = {
        "TrainingImage": job.image or place.job_image(step.resources),
        "TrainingInputMode": "File",
        **command,
    }
    if found:
        algorithm["MetricDefinitions"] = found
    document: Document = {
        "AlgorithmSpecification": algorithm,
        "RoleArn": place.role,
        "InputDataConfig": _channels(context, job, prefix),
        "OutputDataConfig": {"S3OutputPath": context.run_uri(job.position, context.name(step.name))},
        "ResourceConfig": _machines(context, step, job),
        "StoppingCondition": _stopping(step),
    }
    if place.kms:
        document["OutputDataConfig"]["KmsKeyId"] = place.kms
    if network := policies.network(place):
        document["VpcConfig"] = network
    if step.spot is not None:
        document["EnableManagedSpotTraining"] = True
    if keeps_checkpoints(step):
        folder = context.run_uri(job.position, context.name(step.name), "checkpoints")
        document["CheckpointConfig"] = {"S3Uri": folder, "LocalPath": CHECKPOINTS}
    return document


def _channels(context: Context, job: Job, prefix: str) -> list[Document]:
    uris = {"cloudml": prefix, **job.wiring.uris}
    if len(uris) > MOST_CHANNELS:
        message = f"it reads {len(uris) - 1} outputs of other steps, and a training job has {MOST_CHANNELS - 1}"
        context.find("CML332", job.step.name, message, "let an earlier step put several values into one output")
    return [
        {
            "ChannelName": name,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": uri,
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
        for name, uri in uris.items()
    ]


def _machines(context: Context, step: spec.TrainingStep, job: Job) -> Document:
    found: Document = {
        "InstanceType": machine(context, job, "training"),
        "InstanceCount": step.distribution.nodes if step.distribution else 1,
        "VolumeSizeInGB": machines.volume(step.resources),
    }
    if context.place.kms and not machines.has_local_disk(found["InstanceType"]):
        found["VolumeKmsKeyId"] = context.place.kms
    return found


def _stopping(step: spec.TrainingStep) -> Document:
    runtime = policies.longest(step.timeout, step.retry)
    found: Document = {"MaxRuntimeInSeconds": runtime}
    if step.spot is not None:
        # AWS refuses a wait below the run time, which it includes.
        wait = runtime if step.spot.max_wait is None else math.ceil(step.spot.max_wait)
        found["MaxWaitTimeInSeconds"] = max(runtime, wait)
    return found
