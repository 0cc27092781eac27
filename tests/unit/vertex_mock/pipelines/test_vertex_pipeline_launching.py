"""Tasks of the Google Cloud components' CustomJob launcher: they create a job in the mock and end with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vertex_pipeline_bench import Bench, Spec, task

from cloudml_vertex.mock.core import gcs

IMAGE = "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.22.0"


def launcher(module: str = "custom_job", **task_: Any) -> Spec:
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "stuck", "args": ["{{$.inputs.parameters['x']}}"]},
    }
    payload = json.dumps({"display_name": "trained", "job_spec": {"worker_pool_specs": [pool]}})
    command = ["python3", "-u", "-m", f"google_cloud_pipeline_components.container.v1.{module}.launcher"]
    args = ["--type", "CustomJob", "--payload", payload, "--project", "my-project", "--location", "us-central1"]
    args += ["--gcp_resources", "{{$.outputs.parameters['gcp_resources'].output_file}}"]
    io = {"inputs": {"x": "STRING"}, "outputs": {"gcp_resources": "STRING"}}
    spec = Spec()
    spec.container("train", IMAGE, *args, more={"command": command}, **io)
    spec.container("use", "read", "{{$.inputs.parameters['r']}}", inputs={"r": "STRING"})
    first = task("train", given={"x": "hello"}, **task_)
    return spec.main({"train": first, "use": task("use", given={"r": ("train", "gcp_resources")})})


@pytest.fixture(autouse=True)
def _images(bench: Bench) -> None:
    bench.images["stuck"] = lambda *_: None
    bench.images["read"] = lambda *_: 0


def started(bench: Bench) -> dict[str, Any]:
    bench.settle()
    return bench.jobs[-1]


def test_it_ends_with_the_job_that_it_started(bench: Bench) -> None:
    name = bench.submit(launcher())
    job = started(bench)
    assert job["display_name"] == "trained"
    assert job["job_spec"]["worker_pool_specs"][0]["container_spec"]["args"] == ["hello"]
    bench.end_in(job, "SUCCEEDED")
    found = bench.ended(name)
    assert found["state"] == "PIPELINE_STATE_SUCCEEDED"
    (told,) = [args[0] for image, args in bench.ran if image == "read"]
    assert json.loads(told)["resources"][0]["resourceUri"].endswith(job["name"])


def test_it_fails_with_its_job(bench: Bench) -> None:
    name = bench.submit(launcher())
    bench.end_in(started(bench), "FAILED")
    found = bench.ended(name)
    assert found["state"] == "PIPELINE_STATE_FAILED"
    assert "JOB_STATE_FAILED" in found["job_detail"]["task_details"][0]["error"]["message"]


def test_cancel_reaches_the_job(bench: Bench) -> None:
    name = bench.submit(launcher())
    job = started(bench)
    bench.call("CancelPipelineJob", name=name)
    assert bench.ended(name)["state"] == "PIPELINE_STATE_CANCELLED"
    assert job["state"] == "JOB_STATE_CANCELLED"


def test_a_restart_starts_no_second_job(bench: Bench) -> None:
    name = bench.submit(launcher())
    job = started(bench)
    bench.reopen()
    bench.settle()
    assert len(bench.jobs) == 1
    bench.end_in(job, "SUCCEEDED")
    assert bench.ended(name)["state"] == "PIPELINE_STATE_SUCCEEDED"


def test_a_launcher_that_is_not_served_fails_loudly(bench: Bench) -> None:
    found = bench.run(launcher("dataproc.create_spark_batch"))
    assert found["state"] == "PIPELINE_STATE_FAILED" and not bench.jobs
    assert "not executed" in found["job_detail"]["task_details"][0]["error"]["message"]


def test_the_file_names_what_was_started(bench: Bench) -> None:
    bench.submit(launcher())
    job = started(bench)
    (written,) = [uri for uri in gcs.walk(bench.world, "gs://bucket/root/") if uri.endswith("/gcp_resources")]
    assert json.loads(gcs.read(bench.world, written))["resources"][0]["resourceType"] == "CustomJob"
    assert job["name"] in gcs.read(bench.world, written).decode()
