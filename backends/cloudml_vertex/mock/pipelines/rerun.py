"""Reruns (v1beta1): which tasks of a job take over the outputs of the job that it repeats.

`PipelineJob.pipeline_task_rerun_configs`: what succeeded is skipped and the rest runs again; a configuration names a
task (by id, or by its unique name) that is run again with other inputs, or is skipped, with or without what
comes after it.
"""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import records
from cloudml_vertex.mock.pipelines.decide import GOOD
from cloudml_vertex.mock.pipelines.definition.flow import Values
from cloudml_vertex.mock.pipelines.room import Run


def original(world: World, scope: Scope, job: Document) -> Document | None:
    """The job that this one repeats, by its numeric id. Raises NOT_FOUND, FAILED_PRECONDITION."""
    number = job.get("original_pipeline_job_id")
    if not number:
        if job.get("pipeline_task_rerun_configs"):
            raise invalid("pipeline_task_rerun_configs needs original_pipeline_job_id.")
        return None
    for found in world.table(records.JOBS, scope):
        if found["_uuid"] == str(number):
            if found["state"] not in records.OVER:
                raise failed_precondition(f"The original PipelineJob {found['name']} has not ended yet.")
            return found
    raise not_found(f"pipeline job {number}")


def configs(job: Document, tasks: dict[str, Document]) -> dict[str, Document]:
    """The configurations by path of the original's task. Raises INVALID_ARGUMENT for a task that there is not."""
    paths = {record["task_unique_name"]: path for path, record in tasks.items()}
    ids = {record["task_id"]: path for path, record in tasks.items()}
    found: dict[str, Document] = {}
    for config in job.get("pipeline_task_rerun_configs", ()):
        path = ids.get(config.get("task_id", 0)) or paths.get(config.get("task_name", ""))
        if path is None:
            named = config.get("task_name") or config.get("task_id", "")
            raise invalid(f"pipeline_task_rerun_configs: the original job has no task {named!r}.")
        found[path] = config
    return found


def taken(run: Run, record: Document) -> Document | None:
    """The outputs that the task takes over from the original; None when it is to run. Marks what runs differently."""
    again: Document | None = run.job.get("_rerun")
    if again is None:
        return None
    config = again["configs"].get(record["_path"])
    source = run.room.index.of(run.world.table(records.TASKS, run.scope), again["job"]).get(record["_path"])
    there = source is not None and source["state"] in GOOD
    if config is not None and not config.get("skip_task"):
        record["_changed"] = not config.get("skip_downstream_tasks")
        return None
    if source is None or not (there or config is not None):
        return None
    if config is None and _after_change(run, record):
        record["_changed"] = True
        return None
    return source.get("_outputs") or {}


def overridden(run: Run, path: str, inputs: Values) -> Values:
    """The task's inputs, with those that the configuration of a rerun gives in their place."""
    again: Document = run.job.get("_rerun") or {}
    given: dict[str, Any] = again.get("configs", {}).get(path, {}).get("inputs", {})
    if not given:
        return inputs
    artifacts = {
        name: tuple(_runtime(one) for one in found.get("artifacts", ()))
        for name, found in given.get("artifacts", {}).items()
    }
    return Values(
        parameters={**inputs.parameters, **given.get("parameter_values", {})},
        artifacts={**inputs.artifacts, **artifacts},
    )


def _runtime(artifact: Document) -> Document:
    kind: Document = artifact.get("type_") or artifact.get("type") or {}
    names = {"schema_title": "schemaTitle", "schema_uri": "schemaUri", "instance_schema": "instanceSchema"}
    names["schema_version"] = "schemaVersion"
    found = {key: value for key, value in artifact.items() if key in {"name", "uri", "metadata"}}
    return {**found, "type": {names[key]: value for key, value in kind.items() if key in names}}


def _after_change(run: Run, record: Document) -> bool:
    """Whether something upstream of the task, or of a DAG around it, was run differently."""
    tasks = run.tasks
    while True:
        within, number = record["_parent"], record.get("_index")
        if number is None:
            ups = (tasks.get(records.below(within, up)) for up in run.task(record).upstream)
            if any(up is not None and _changed(tasks, up) for up in ups):
                return True
        if not within:
            return False
        record = tasks[within]


def _changed(tasks: dict[str, Document], record: Document) -> bool:
    if record["_kind"] not in {"dag", "loop"}:
        return bool(record.get("_changed"))
    inside = f"{record['_path']}/"
    return any(other.get("_changed") for path, other in tasks.items() if path.startswith(inside))
