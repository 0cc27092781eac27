"""What Vertex AI demands of a batch prediction job (docstrings of aiplatform_v1.types.batch_prediction_job), and what
this mock does not execute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudml_vertex.mock.core.errors import field_violations, not_executed
from cloudml_vertex.mock.core.gcs import GcsMissing, split_uri
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import machines
from cloudml_vertex.mock.registry import containers, models

Document = dict[str, Any]
Violation = tuple[str, str]

MAX_REPLICAS = 10
BATCH = 64
"""Defaults of BatchDedicatedResources.max_replica_count and ManualBatchTuningParameters.batch_size."""
_READ = ("jsonl", "csv")
_WRITTEN = ("jsonl", "csv")
_ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    ("endpoint", "A batch prediction by an existing endpoint", "name the model"),
    ("generate_explanation", "generate_explanation", "leave it out"),
    ("model_monitoring_config", "Monitoring inside of a batch prediction job", "run a ModelMonitor on its output"),
)
_TYPES = ("object", "array")


def check(world: World, job: Document, where: str) -> None:
    """Refuse what Vertex AI would refuse, all of it at once, and what this mock cannot do. Raises GoogleError."""
    for field, what, instead in _ELSEWHERE:
        if job.get(field):
            raise not_executed(what, instead)
    found = [*_model(job, where), *_resources(job, where)]
    found += _source(job["input_config"], f"{where}.input_config")
    found += _destination(world, job["output_config"], f"{where}.output_config")
    found += _instances(job, f"{where}.instance_config")
    if job.get("explanation_spec"):
        told = "It can be specified only if generate_explanation is true."
        found.append((f"{where}.explanation_spec", told))
    if (job.get("manual_batch_tuning_parameters") or {}).get("batch_size", 1) < 0:
        found.append((f"{where}.manual_batch_tuning_parameters.batch_size", "The batch size is negative."))
    if found:
        raise field_violations(found)
    spec = job.get("unmanaged_container_model")
    if spec is not None:
        containers.check(world, spec["container_spec"], f"{where}.unmanaged_container_model.container_spec")


def _model(job: Document, where: str) -> Iterator[Violation]:
    unmanaged = job.get("unmanaged_container_model")
    if bool(job.get("model")) == (unmanaged is not None):
        yield where, "Exactly one of model and unmanaged_container_model must be set."
        return
    if unmanaged is None:
        if "publishers/" in job["model"]:
            raise not_executed("A batch prediction by a publisher's model", "name a model of the registry")
        return
    if not unmanaged.get("container_spec"):
        yield f"{where}.unmanaged_container_model.container_spec", "A container is required."
    if unmanaged.get("artifact_uri"):
        yield from _uri(unmanaged["artifact_uri"], f"{where}.unmanaged_container_model.artifact_uri")


def _resources(job: Document, where: str) -> Iterator[Violation]:
    given, place = job.get("dedicated_resources"), f"{where}.dedicated_resources"
    if given is None:
        yield place, "It must be provided, as models with a custom container do not support automatic resources."
        return
    yield from machines.machine(given.get("machine_spec") or {}, f"{place}.machine_spec", required=True)
    start, most = given.get("starting_replica_count", 0), given.get("max_replica_count", 0)
    if most < 0:
        yield f"{place}.max_replica_count", "A count is not negative."
    if start < 0 or start > (most or MAX_REPLICAS):
        yield f"{place}.starting_replica_count", "It must not be negative, nor greater than max_replica_count."


def _source(config: Document, where: str) -> Iterator[Violation]:
    form = config["instances_format"]
    if form not in models.INPUTS:
        told = f"{form!r} is none of the model's supported_input_storage_formats: {', '.join(models.INPUTS)}."
        yield f"{where}.instances_format", told
        return
    if form not in _READ:
        raise not_executed(f"instances_format {form}", f"give the instances as {' or '.join(_READ)}")
    if "gcs_source" not in config:
        yield f"{where}.gcs_source", f"Instances in the format {form} come from Cloud Storage."
        return
    for number, uri in enumerate(config["gcs_source"].get("uris") or []):
        yield from _uri(uri, f"{where}.gcs_source.uris[{number}]")


def _destination(world: World, config: Document, where: str) -> Iterator[Violation]:
    form = config["predictions_format"]
    known = [*models.OUTPUTS, *(["csv"] if world.switches["csv-predictions"] == "write" else [])]
    if form not in known:
        told = f"{form!r} is none of the model's supported_output_storage_formats: {', '.join(known)}."
        yield f"{where}.predictions_format", told
        return
    if form not in _WRITTEN:
        raise not_executed(f"predictions_format {form}", "take the predictions as jsonl")
    if "gcs_destination" not in config:
        yield f"{where}.gcs_destination", f"Predictions in the format {form} go to Cloud Storage."
        return
    yield from _uri(
        config["gcs_destination"].get("output_uri_prefix", ""), f"{where}.gcs_destination.output_uri_prefix"
    )


def _instances(job: Document, where: str) -> Iterator[Violation]:
    """InstanceConfig: what goes with what."""
    config, form = job.get("instance_config") or {}, job["input_config"]["instances_format"]
    kind = config.get("instance_type", "")
    if kind and kind not in _TYPES:
        yield f"{where}.instance_type", f"{kind!r} is none of {', '.join(_TYPES)}."
    elif kind and form != "jsonl":
        yield f"{where}.instance_type", f"It does not apply to {form}."
    for field in ("included_fields", "excluded_fields"):
        if config.get(field) and form != "jsonl":
            yield f"{where}.{field}", "The input must be JSONL with objects at each line."
    if config.get("included_fields") and config.get("excluded_fields"):
        yield f"{where}.excluded_fields", "It must be empty when included_fields is populated."


def _uri(uri: str, where: str) -> Iterator[Violation]:
    try:
        split_uri(uri)
    except GcsMissing:
        yield where, f"{uri!r} is not a Cloud Storage URI, gs://bucket/path."
