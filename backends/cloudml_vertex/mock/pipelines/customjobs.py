"""The CustomJob that a container task becomes, as Vertex AI runs one for each."""

from __future__ import annotations

from dataclasses import dataclass

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import machines
from cloudml_vertex.mock.pipelines.definition import placeholders
from cloudml_vertex.mock.pipelines.definition.model import Container
from cloudml_vertex.mock.pipelines.definition.placeholders import Names
from cloudml_vertex.mock.pipelines.room import Run

BILLING_LABEL = "vertex-ai-pipelines-run-billing-id"
"""Set on each job and on what it starts; a user's value is overridden (PipelineJob.labels)."""

TASK_NAMES = "pipeline-task-names"
"""In `World.rooms`: the task's name by the display name of its CustomJob; faults are aimed by it."""


@dataclass(frozen=True)
class Said:
    """What a container is started with, every placeholder replaced."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]


def said(run: Run, record: Document, container: Container, executor_input: Document) -> Said:
    """The container's image, command, arguments and environment for this task. Raises PlaceholderError."""
    known = _names(run, record)

    def rendered(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(placeholders.render(texts, executor_input, known))

    return Said(
        image="".join(rendered((container.image,))),
        command=rendered(tuple(container.command)),
        args=rendered(tuple(container.args)),
        env=tuple((name, "".join(rendered((value,)))) for name, value in container.env),
    )


def note(run: Run, record: Document) -> str:
    """The display name of the attempt's CustomJob; whoever aims a fault at the task finds it by that."""
    shown = f"caip_pipelines_{record['task_id']}_{record['_attempt']}"
    run.world.rooms.setdefault(TASK_NAMES, {})[shown] = record["task_name"]
    return shown


def create(run: Run, record: Document, container: Container, said: Said) -> str:
    """Create the CustomJob of an attempt, or find it when it was created already; its name.

    Raises GoogleError, BadResources.
    """
    shown = note(run, record)
    if record.get("_creating") == shown:
        # The mock went down between the two writes: the job may be there.
        listed = run.world.call(run.scope, "JobService.ListCustomJobs", {"filter": f'display_name="{shown}"'})
        for job in listed.get("custom_jobs", ()):
            return str(job["name"])
    record["_creating"] = shown
    run.keep(record)
    params = {"custom_job": _custom_job(run, container, said, shown)}
    return str(run.world.call(run.scope, "JobService.CreateCustomJob", params)["name"])


def _custom_job(run: Run, container: Container, said: Said, display_name: str) -> Document:
    asked = container.resources
    machine = machines.machine_spec(
        machines.Asked(asked.cpu_limit, asked.memory_limit, asked.accelerator_type, asked.accelerator_count)
    )
    spec: Document = {
        "worker_pool_specs": [
            {
                "machine_spec": machine,
                "replica_count": 1,
                "container_spec": {
                    "image_uri": said.image,
                    "command": list(said.command),
                    "args": list(said.args),
                    "env": [{"name": name, "value": value} for name, value in said.env],
                },
            }
        ],
        "scheduling": {"disable_retries": True},
    }
    for field in ("service_account", "network", "reserved_ip_ranges", "psc_interface_config"):
        if field in run.job:
            spec[field] = run.job[field]
    resource = _persistent_resource(run)
    if resource:
        spec["persistent_resource_id"] = names.id_of(resource)
    found: Document = {"display_name": display_name, "job_spec": spec, "labels": dict(run.job["labels"])}
    if "encryption_spec" in run.job:
        found["encryption_spec"] = run.job["encryption_spec"]
    return found


def _persistent_resource(run: Run) -> str:
    runtime = run.job["runtime_config"].get("default_runtime", {})
    return str(runtime.get("persistent_resource_runtime_detail", {}).get("persistent_resource_name", ""))


def _names(run: Run, record: Document) -> Names:
    return Names(
        job_name=run.id,
        job_resource_name=run.name,
        job_uuid=run.job["_uuid"],
        task_name=record["task_name"],
        task_uuid=str(record["task_id"]),
        root=run.job["runtime_config"]["gcs_output_directory"],
        project=run.world.project_id(run.scope.account),
        location=run.scope.region,
        create_time=run.job["create_time"],
        schedule_time=run.job.get("_schedule_time", ""),
        service_account=run.job.get("service_account", ""),
        network=run.job.get("network", ""),
        persistent_resource=names.id_of(_persistent_resource(run)),
        encryption_key_name=run.job.get("encryption_spec", {}).get("kms_key_name", ""),
    )
