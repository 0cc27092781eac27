"""A pipeline whose containers are ours, run by the mock: Vertex's own words in, its own state out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vertex_task import Task, port

from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_vertex
from cloudml_vertex.container import http
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.google import call

PARENT = "projects/mock-project/locations/us-central1"
CODE = "gs://data/shop/code"
ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[MockInUse]:
    with running_vertex(MockOptions()) as mock:
        yield mock


@pytest.fixture
def bucket(cloud: MockInUse, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    cloud.running.reset()
    monkeypatch.setenv("CLOUDML_VERTEX_REST", cloud.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
    made = http.Request(
        "POST", f"{cloud.url}/storage/v1/b?project=mock-project", b'{"name": "data"}',
        {"Content-Type": "application/json"},
    )  # fmt: skip
    http.send(made)
    return Bucket()


def component(bucket: Bucket, task: Task, name: str, step: dict[str, Any], **inputs: Any) -> tuple[Any, Any]:
    """Upload the job's code; the component and the executor."""
    for file in task.code({"step": name, **step}).iterdir():
        bucket.put(f"{CODE}/{name}/{file.name}", file.read_bytes())
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    outputs = {
        "artifacts": dict.fromkeys((*(one["name"] for one in step["outputs"]), "result"), artifact),
        "parameters": {one: {"parameterType": wanted["type"]} for one, wanted in step.get("returns", {}).items()},
    }
    program = f"{CODE.replace('gs://', '/gcs/')}/{name}/start.py"
    run = ["--set", "run.id={{$.pipeline_job_name}}"]
    container = {
        "image": "python:3.11", "command": ["python3", program], "args": ["--executor-input", "{{$}}", *run],
    }  # fmt: skip
    made = {"executorLabel": f"exec-{name}", "outputDefinitions": outputs}
    return {**made, **({"inputDefinitions": inputs} if inputs else {})}, {"container": container}


def pipeline(bucket: Bucket, task: Task, count: int) -> dict[str, Any]:
    """Scores of a count; where the score is large, the double of it."""
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    scored: dict[str, Any] = {
        "function": "vertex_steps:score", "arguments": {"count": {"set": "count", "type": "int"}},
        "outputs": [port("output", "Scores", "metrics")],
        "returns": {"auc": {"port": "output", "field": "auc", "type": "NUMBER_DOUBLE"}},
    }  # fmt: skip
    scores = {"input": "in-0", "port": "output", "field": "auc"}
    added: dict[str, Any] = {
        "function": "vertex_steps:add", "arguments": {"left": scores, "right": scores},
        "outputs": [port("output", "float")],
    }  # fmt: skip
    number = {"parameters": {"count": {"parameterType": "NUMBER_INTEGER"}}}
    comp_score, exec_score = component(bucket, task, "score", scored, **number)
    comp_add, exec_add = component(bucket, task, "add", added, artifacts={"in-0": artifact})
    inside = "pipelinechannel--score-output"
    value = "pipelinechannel--score-auc"
    branch = {
        "inputDefinitions": {
            "artifacts": {inside: artifact}, "parameters": {value: {"parameterType": "NUMBER_DOUBLE"}},
        },
        "dag": {"tasks": {"add": {
            "componentRef": {"name": "comp-add"}, "taskInfo": {"name": "add"},
            "inputs": {"artifacts": {"in-0": {"componentInputArtifact": inside}}},
        }}},
    }  # fmt: skip
    tasks = {
        "score": {
            "componentRef": {"name": "comp-score"}, "taskInfo": {"name": "score"},
            "inputs": {"parameters": {"count": {"componentInputParameter": "count"}}},
        },
        "condition-1": {
            "componentRef": {"name": "comp-condition-1"}, "taskInfo": {"name": "condition-1"},
            "dependentTasks": ["score"],
            "inputs": {
                "artifacts": {inside: {
                    "taskOutputArtifact": {"producerTask": "score", "outputArtifactKey": "output"}
                }},
                "parameters": {value: {
                    "taskOutputParameter": {"producerTask": "score", "outputParameterKey": "auc"}
                }},
            },
            "triggerPolicy": {"condition": f"inputs.parameter_values['{value}'] > 0.25"},
        },
    }  # fmt: skip
    spec = {
        "schemaVersion": "2.1.0", "sdkVersion": "cloudml", "pipelineInfo": {"name": "made"},
        "components": {"comp-score": comp_score, "comp-add": comp_add, "comp-condition-1": branch},
        "deploymentSpec": {"executors": {"exec-score": exec_score, "exec-add": exec_add}},
        "root": {"inputDefinitions": number, "dag": {"tasks": tasks}},
    }  # fmt: skip
    runtime = {"gcs_output_directory": "gs://data/root", "parameter_values": {"count": count}}
    return {"pipeline_spec": spec, "runtime_config": runtime}


def ended(job: dict[str, Any]) -> dict[str, Any]:
    """The job at its end."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = call("PipelineService.GetPipelineJob", name=job["name"])
        if found["state"] in ENDED:
            return found
        time.sleep(0.1)
    raise AssertionError(found["state"])


@pytest.mark.parametrize(("count", "made"), [(4, [1.0]), (1, [])])
def test_values_and_artifacts_flow_through_vertex_s_own_engine(
    bucket: Bucket, task: Task, count: int, made: list[float]
) -> None:
    asked = pipeline(bucket, task, count)
    job = call("PipelineService.CreatePipelineJob", parent=PARENT, pipeline_job=asked, pipeline_job_id=f"run-{count}")
    found = ended(job)
    failures = [bucket.get(one) for one in bucket.list("gs://data/shop/gcp/failures")]
    assert found["state"] == "PIPELINE_STATE_SUCCEEDED", failures
    sums = [one for one in bucket.list("gs://data/root/") if "/add_" in one and one.endswith("/output/output.json")]
    assert [json.loads(bucket.get(one)) for one in sums] == made
    states = {one["task_name"]: one["state"] for one in found["job_detail"]["task_details"]}
    assert states["score"] == "SUCCEEDED"
    assert states["condition-1"] == ("SUCCEEDED" if made else "NOT_TRIGGERED")


def test_a_failure_lies_where_the_run_and_the_step_say(bucket: Bucket, task: Task, tmp_path: Path) -> None:
    step = {"function": "vertex_steps:broken", "outputs": [port("output", "int")]}
    comp, executor = component(bucket, task, "broken", step)
    spec = {
        "schemaVersion": "2.1.0", "sdkVersion": "cloudml", "pipelineInfo": {"name": "made"},
        "components": {"comp-broken": comp}, "deploymentSpec": {"executors": {"exec-broken": executor}},
        "root": {"dag": {"tasks": {"broken": {
            "componentRef": {"name": "comp-broken"}, "taskInfo": {"name": "broken"},
        }}}},
    }  # fmt: skip
    asked = {"pipeline_spec": spec, "runtime_config": {"gcs_output_directory": "gs://data/root"}}
    job = call("PipelineService.CreatePipelineJob", parent=PARENT, pipeline_job=asked, pipeline_job_id="run-9")
    assert ended(job)["state"] == "PIPELINE_STATE_FAILED"
    failure = json.loads(bucket.get("gs://data/shop/gcp/failures/run-9/broken.json"))
    assert (failure["class"], failure["message"]) == ("error", "count is 0")
