"""Google's own clients against a running mock: a job from the model's upload to its results, and a monitor of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.cloud import aiplatform_v1, aiplatform_v1beta1

from cloudml_vertex.mock.options import Options
from cloudml_vertex.mock.start import Mock, start
from tests.unit.vertex_mock.batch.vertex_batch_bench import PROGRAM, SPEC, request

PARENT = "projects/batch-team/locations/us-central1"
MODEL = f"{PARENT}/models/tripler"


@pytest.fixture(scope="module")
def running() -> Iterator[Mock]:
    mock = start(Options(images=(f"team/images/server={sys.executable} -S {PROGRAM}",)))
    model = mock.world.gcs / "bucket" / "model" / "factor"
    model.parent.mkdir(parents=True)
    model.write_text("3")
    lines = "".join(json.dumps({"x": value}) + "\n" for value in [1, 2, 3, 4])
    (mock.world.gcs / "bucket" / "base.jsonl").write_text(lines)
    (mock.world.gcs / "bucket" / "in.jsonl").write_text(f'{lines}"refuse"\n')
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def client(running: Mock) -> Iterator[Any]:
    """`client(package, "JobServiceClient")`."""
    with grpc.insecure_channel(running.endpoint) as channel:

        def made(package: Any, name: str) -> Any:
            kind = getattr(package, name)
            return kind(transport=kind.get_transport_class("grpc")(channel=channel))

        given = {"display_name": "tripler", "container_spec": SPEC, "artifact_uri": "gs://bucket/model"}
        upload = aiplatform_v1.UploadModelRequest(parent=PARENT, model=given, model_id="tripler")
        made(aiplatform_v1, "ModelServiceClient").upload_model(upload).result(timeout=20)
        yield made


def ended(get: Any, name: str) -> Any:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        job = get(name=name)
        if job.state.name in {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end")


@pytest.fixture(scope="module")
def job(client: Any) -> Any:
    """A job made by v1, at its end; its last instance has failed."""
    jobs = client(aiplatform_v1, "JobServiceClient")
    asked = request(model=MODEL, manual_batch_tuning_parameters={"batch_size": 2})
    made = jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job=asked)
    return ended(jobs.get_batch_prediction_job, made.name)


def test_a_job_by_v1_is_seen_by_v1beta1(running: Mock, client: Any, job: Any) -> None:
    assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
    assert (job.completion_stats.successful_count, job.completion_stats.failed_count) == (4, 1)
    assert job.model_version_id == "1"
    folder = running.world.gcs / job.output_info.gcs_output_directory.removeprefix("gs://")
    lines = (folder / "prediction.results-00000-of-00001").read_text().splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == [3, 6, 9, 12]
    beta = client(aiplatform_v1beta1, "JobServiceClient")
    seen = beta.get_batch_prediction_job(name=job.name)
    assert seen.output_info.gcs_output_directory == job.output_info.gcs_output_directory
    assert [one.name for one in beta.list_batch_prediction_jobs(parent=PARENT)] == [job.name]


def test_a_monitor_reads_what_a_job_predicted(client: Any, job: Any) -> None:
    monitoring = client(aiplatform_v1beta1, "ModelMonitoringServiceClient")
    monitor = monitoring.create_model_monitor(parent=PARENT, model_monitor=_monitor()).result(timeout=20)
    spec = {"tabular_objective": {"feature_drift_spec": _drift()}}
    baseline = {"columnized_dataset": {"gcs_source": {"gcs_uri": "gs://bucket/base.jsonl", "format_": "JSONL"}}}
    target = {"batch_prediction_output": {"batch_prediction_job": job.name}}
    spec |= {"baseline_dataset": baseline, "target_dataset": target}
    asked = {"display_name": "look", "model_monitoring_spec": {"objective_spec": spec}}
    made = monitoring.create_model_monitoring_job(parent=monitor.name, model_monitoring_job=asked)
    found = ended(monitoring.get_model_monitoring_job, made.name)
    assert found.state.name == "JOB_STATE_SUCCEEDED", found
    stats = monitoring.search_model_monitoring_stats({"model_monitor": monitor.name})
    [values] = [one.tabular_stats for one in stats]
    # The instances that were predicted are those of the baseline: nothing has drifted.
    assert values.stats_name == "x"
    assert values.data_points[0].current_stats.distribution_value.distribution_deviation == 0


def _monitor() -> dict[str, Any]:
    fields = {"feature_fields": [{"name": "x", "data_type": "float"}]}
    target = {"vertex_model": {"model": MODEL, "model_version_id": "1"}}
    return {"display_name": "m", "model_monitoring_target": target, "model_monitoring_schema": fields}


def _drift() -> dict[str, Any]:
    return {"features": ["x"], "default_numeric_alert_condition": {"threshold": 0.1}}
