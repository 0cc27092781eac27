"""Pipelines whose tasks are real processes: custom jobs of the jobs' own room, /gcs, output files, SIGTERM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vertex_pipeline_bench import HERE, Bench, Spec, task

from cloudml_vertex.mock import jobs
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.operations import OPERATIONS


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A world in which both rooms stand."""
    own = {name: operation for name, operation in OPERATIONS.items() if name.startswith("JobService.")}
    made = Bench(tmp_path, monkeypatch)
    OPERATIONS.update(own)
    jobs.install(made.world)
    yield made
    made.close()


def shell(spec: Spec, name: str, script: str, *args: str, **io: Any) -> str:
    return spec.container(name, "alpine", *args, more={"command": ["sh", "-c", script, "sh"]}, **io)


def test_a_value_and_an_artifact_go_through_files(real: Bench) -> None:
    spec = Spec()
    text = "{{$.inputs.parameters['text']}}"
    number, data = "{{$.outputs.parameters['n'].output_file}}", "{{$.outputs.artifacts['d'].path}}"
    write = 'mkdir -p "$(dirname "$2")" && printf "%s" "$1" > "$3" && printf 3 > "$2"'
    outputs = {"n": "NUMBER_INTEGER", "d": "artifact"}
    shell(spec, "make", write, text, number, data, inputs={"text": "STRING"}, outputs=outputs)
    said, copy = "{{$.inputs.artifacts['d'].path}}", "{{$.outputs.parameters['out'].output_file}}"
    read = 'mkdir -p "$(dirname "$2")" && { cat "$1"; printf "%s" "-$3"; } > "$2"'
    takes = {"d": "artifact", "n": "NUMBER_INTEGER"}
    shell(spec, "take", read, said, copy, "{{$.inputs.parameters['n']}}", inputs=takes, outputs={"out": "STRING"})
    first = task("make", given={"text": "@text"})
    second = task("take", given={"n": ("make", "n")}, artifacts={"d": ("make", "d")})
    spec.main({"make": first, "take": second}, inputs={"text": "STRING"})
    job = real.run(spec, runtime_config={"parameter_values": {"text": "it's fine"}})
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job.get("error")
    (written,) = [uri for uri in gcs.walk(real.world, "gs://bucket/root/") if uri.endswith("/out")]
    assert gcs.read(real.world, written) == b"it's fine-3"


def test_a_failing_process_tells_its_status(real: Bench) -> None:
    spec = Spec()
    shell(spec, "bad", "exit 3")
    job = real.run(spec.main({"a": task("bad")}))
    (detail,) = job["job_detail"]["task_details"]
    assert job["state"] == "PIPELINE_STATE_FAILED" and "3" in detail["error"]["message"]
    found = real.world.call(
        HERE, "JobService.GetCustomJob", {"name": detail["executor_detail"]["container_detail"]["main_job"]}
    )
    assert found["state"] == "JOB_STATE_FAILED"


def test_cancel_sends_sigterm(real: Bench) -> None:
    spec = Spec()
    path = "{{$.outputs.parameters['out'].output_file}}"
    trap = "trap 'printf stopped > \"$1\"; exit 1' TERM"
    script = f'mkdir -p "$(dirname "$1")"; {trap}; touch "$1.up"; while :; do sleep 0.05; done'
    shell(spec, "stuck", script, path, outputs={"out": "STRING"})
    name = real.submit(spec.main({"a": task("stuck")}))
    for _ in range(200):
        if any(uri.endswith(".up") for uri in gcs.walk(real.world, "gs://bucket/root/")):
            break
        real.world.closing.wait(0.05)
    real.call("CancelPipelineJob", name=name)
    assert real.ended(name)["state"] == "PIPELINE_STATE_CANCELLED"
    (written,) = [uri for uri in gcs.walk(real.world, "gs://bucket/root/") if uri.endswith("/out")]
    assert gcs.read(real.world, written) == b"stopped"
