"""What a job leaves in ML Metadata: contexts of the pipeline and of the run, executions, artifacts and their events.

Vertex AI records all that by itself (https://cloud.google.com/vertex-ai/docs/pipelines/lineage). Here it goes through
the mock's own MetadataService; a job runs as well where that refuses.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.operations import OPERATIONS, Document
from cloudml_vertex.mock.pipelines.room import Run

log = logging.getLogger(__name__)

_SERVICE = "MetadataService."
_STATES = {"SUCCEEDED": "COMPLETE", "SKIPPED": "CACHED", "FAILED": "FAILED", "CANCELLED": "CANCELLED"}
_SCHEMAS = {"container": "system.ContainerExecution", "importer": "system.ImporterExecution"}


def store_of(run: Run) -> str:
    """The name of the metadata store of the job's project and location."""
    return f"projects/{run.scope.account}/locations/{run.scope.region}/metadataStores/default"


def new_artifact_name(run: Run) -> str:
    """The name that an output will have."""
    return f"{store_of(run)}/artifacts/{names.new_id(run.world, 'artifact')}"


def contexts(run: Run) -> Document:
    """`pipeline_context` and `pipeline_run_context` of a job that begins."""
    pipeline = _context(run, _pipeline_id(run), "system.Pipeline", run.definition.name)
    made = _context(run, run.id, "system.PipelineRun", run.id)
    params = {"context": made["name"], "child_contexts": [made["name"]]}
    _call(run, "AddContextChildren", {**params, "context": pipeline["name"]})
    return {
        "pipeline_context": pipeline,
        "pipeline_run_context": {**made, "parent_contexts": [pipeline["name"]]},
    }


def run_opened(run: Run) -> None:
    """The run itself is an execution of its context: from it the SDK's experiments read a run's parameters and state
    (google.cloud.aiplatform.PipelineJob._query_experiment_row)."""
    execution: Document = {
        "display_name": run.id,
        "state": "RUNNING",
        "schema_title": "system.Run",
        "schema_version": "0.0.1",
        "metadata": {f"input:{name}": value for name, value in run.job["_inputs"].get("parameters", {}).items()},
    }
    made = _call(run, "CreateExecution", {"parent": store_of(run), "execution": execution, "execution_id": run.id})
    context = run.job.get("job_detail", {}).get("pipeline_run_context", {}).get("name")
    if made is not None and context:
        _call(run, "AddContextArtifactsAndExecutions", {"context": context, "executions": [made["name"]]})


def run_closed(run: Run, state: str) -> None:
    """The run's execution ends as the run did."""
    name = f"{store_of(run)}/executions/{run.id}"
    if exists(run, name):
        _call(run, "UpdateExecution", {"execution": {"name": name, "state": _STATES[state]}, "update_mask": "state"})


def show(run: Run, record: Document, side: str, values: Document) -> None:
    """The artifacts among a task's `inputs` or `outputs`, as its detail has them."""
    listed = {name: [_artifact(run, one) for one in found] for name, found in values.get("artifacts", {}).items()}
    if any(listed.values()):
        record[side] = {name: {"artifacts": found} for name, found in listed.items() if found}


def ended(run: Run, record: Document, state: str) -> None:
    """A task has come to an end: `inputs`, `outputs` and `execution` of its detail, and the same in ML Metadata."""
    inputs, outputs = record.get("_inputs") or {}, record.get("_outputs") or {}
    cached = state == "SKIPPED"
    show(run, record, "inputs", inputs)
    show(run, record, "outputs", outputs)
    schema = _SCHEMAS.get(record["_kind"], "system.DagExecution")
    execution: Document = {
        "name": f"{store_of(run)}/executions/{record['task_id']}",
        "display_name": record["task_name"],
        "state": _STATES[state],
        "schema_title": schema,
        "schema_version": "0.0.1",
        "metadata": {
            **{f"input:{name}": value for name, value in inputs.get("parameters", {}).items()},
            **{f"output:{name}": value for name, value in outputs.get("parameters", {}).items()},
            "vertex-ai-pipelines-task-name": record["task_name"],
        },
    }
    made = _call(
        run,
        "CreateExecution",
        {"parent": store_of(run), "execution": execution, "execution_id": names.id_of(execution["name"])},
    )
    record["execution"] = made or execution
    record["_recorded"] = made is not None
    if made is not None:
        _linked(run, record, made["name"], cached)


def exists(run: Run, execution: str) -> bool:
    """Whether ML Metadata still holds the execution."""
    try:
        run.world.call(run.scope, f"{_SERVICE}GetExecution", {"name": execution})
    except GoogleError:
        return False
    return True


def _linked(run: Run, record: Document, execution: str, cached: bool) -> None:
    leaf = record["_kind"] in _SCHEMAS
    made = [one for found in record.get("outputs", {}).values() for one in found["artifacts"]] if leaf else []
    used = [one["name"] for found in record.get("inputs", {}).values() for one in found["artifacts"]]
    if not cached:
        for artifact in made:
            _call(
                run,
                "CreateArtifact",
                {"parent": store_of(run), "artifact": artifact, "artifact_id": names.id_of(artifact["name"])},
                known=True,
            )
    events = [{"artifact": name, "type_": "INPUT"} for name in dict.fromkeys(used)]
    events += [{"artifact": one["name"], "type_": "OUTPUT"} for one in made]
    if events and leaf:
        _call(run, "AddExecutionEvents", {"execution": execution, "events": events})
    context = run.job.get("job_detail", {}).get("pipeline_run_context", {}).get("name")
    if context:
        params = {"context": context, "executions": [execution], "artifacts": [one["name"] for one in made]}
        _call(run, "AddContextArtifactsAndExecutions", params)


def _artifact(run: Run, artifact: Document) -> Document:
    """A runtime artifact as the API's Artifact."""
    kind = artifact.get("type", {})
    found = {
        "name": artifact.get("name", ""),
        "display_name": artifact.get("metadata", {}).get("display_name") or names.id_of(artifact.get("uri", "")),
        "uri": artifact.get("uri", ""),
        "schema_title": kind.get("schemaTitle", ""),
        "schema_version": kind.get("schemaVersion", ""),
        "metadata": artifact.get("metadata", {}),
        "state": "LIVE",
        "create_time": run.world.stamp(),
    }
    return {key: value for key, value in found.items() if value not in ("", {})}


def _context(run: Run, identifier: str, schema: str, display_name: str) -> Document:
    document: Document = {
        "name": f"{store_of(run)}/contexts/{identifier}",
        "display_name": display_name,
        "schema_title": schema,
        "schema_version": "0.0.1",
    }
    params = {"parent": store_of(run), "context": document, "context_id": identifier}
    made = _call(run, "CreateContext", params, known=True)
    return made or {**document, "create_time": run.world.stamp()}


def _pipeline_id(run: Run) -> str:
    """The id of the pipeline's context; another where the job itself is called like its pipeline."""
    found = _context_id(run.definition.name)
    return found if found != run.id else f"{found[:119]}-pipeline"


def _context_id(text: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", text.lower())[:128].strip("-") or "pipeline"


def _call(run: Run, method: str, params: Document, *, known: bool = False) -> Any:
    """The answer, None when the service refuses; `known`: it is no news that the resource is there already."""
    if f"{_SERVICE}{method}" not in OPERATIONS:
        return None
    try:
        return run.world.call(run.scope, f"{_SERVICE}{method}", params)
    except GoogleError as error:
        if not (known and error.code == "ALREADY_EXISTS"):
            log.warning("lineage of %s: %s", run.name, error)
    return None
