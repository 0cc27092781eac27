"""Requests about batch prediction jobs: what is refused and why, lists, cancel, delete.

Expectations: docstrings of google.cloud.aiplatform_v1.types (batch_prediction_job, job_service, machine_resources).
"""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.batch.vertex_batch_bench import PARENT, SPEC, BatchBench, request
from tests.unit.vertex_mock.jobs.vertex_bench import HERE

IN = {"uris": ["gs://bucket/in.jsonl"]}
OUT = {"output_uri_prefix": "gs://bucket/out"}
SMALL = {"machine_type": "n1-standard-2"}
UNMANAGED = {"artifact_uri": "gs://bucket/x", "container_spec": SPEC}
MODEL = f"{PARENT}/models/tripler"


def source(form: str = "jsonl", **more: Any) -> dict[str, Any]:
    return {"input_config": {"instances_format": form, **(more or {"gcs_source": IN})}}


def output(form: str = "jsonl", **more: Any) -> dict[str, Any]:
    return {"output_config": {"predictions_format": form, **(more or {"gcs_destination": OUT})}}


def resources(**more: Any) -> dict[str, Any]:
    return {"dedicated_resources": {"machine_spec": SMALL, **more}}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"display_name": None}, "display_name"),
        ({"display_name": "x" * 129}, "display_name"),
        ({"labels": {"Key": "x"}}, "labels"),
        ({"input_config": None}, "input_config"),
        ({"output_config": None}, "output_config"),
        ({"model": None}, "Exactly one of model and unmanaged_container_model"),
        ({"unmanaged_container_model": UNMANAGED}, "Exactly one of model and unmanaged_container_model"),
        ({"model": None, "unmanaged_container_model": {"artifact_uri": "gs://b/x"}}, "container_spec"),
        ({"model": None, "unmanaged_container_model": {**UNMANAGED, "artifact_uri": "/x"}}, "artifact_uri"),
        ({"model": MODEL.replace("us-central1", "europe-west4")}, "own location"),
        ({"dedicated_resources": None}, "dedicated_resources"),
        (resources(machine_spec={}), "machine_type"),
        (resources(machine_spec={"machine_type": "m5.large"}), "machine_type"),
        (resources(starting_replica_count=3, max_replica_count=2), "starting_replica_count"),
        (resources(starting_replica_count=11), "starting_replica_count"),
        (resources(max_replica_count=-1), "max_replica_count"),
        (source("parquet"), "supported_input_storage_formats"),
        (source("jsonl", bigquery_source={"input_uri": "bq://p.d.t"}), "gcs_source"),
        (source("jsonl", gcs_source={"uris": ["/local"]}), "uris[0]"),
        (output("parquet"), "supported_output_storage_formats"),
        (output("jsonl", bigquery_destination={"output_uri": "bq://p"}), "gcs_destination"),
        (output("jsonl", gcs_destination={"output_uri_prefix": "s3://b/x"}), "output_uri_prefix"),
        ({"instance_config": {"instance_type": "tensor"}}, "instance_type"),
        ({**source("csv"), "instance_config": {"instance_type": "object"}}, "instance_type"),
        ({**source("csv"), "instance_config": {"included_fields": ["a"]}}, "included_fields"),
        ({"instance_config": {"included_fields": ["a"], "excluded_fields": ["b"]}}, "excluded_fields"),
        ({"manual_batch_tuning_parameters": {"batch_size": -1}}, "batch_size"),
        ({"explanation_spec": {"parameters": {"top_k": 1}}}, "explanation_spec"),
        ({"encryption_spec": {"kms_key_name": "key"}}, "kms_key_name"),
    ],
)
def test_wrong_requests_are_invalid(still: BatchBench, wrong: dict[str, Any], says: str) -> None:
    error = still.refused(**wrong)
    assert error.code == "INVALID_ARGUMENT", error
    assert says in error.message


@pytest.mark.parametrize(
    "asked",
    [
        *(source(form) for form in ("tf-record", "tf-record-gzip", "file-list")),
        source("bigquery", bigquery_source={"input_uri": "bq://p.d.t"}),
        output("bigquery", bigquery_destination={"output_uri": "bq://p"}),
        {"generate_explanation": True},
        {"model": "publishers/google/models/gemini"},
    ],
)
def test_what_is_not_executed_is_refused_by_name(still: BatchBench, asked: dict[str, Any]) -> None:
    error = still.refused(**asked)
    assert error.code == "UNIMPLEMENTED"
    assert "not executed by this mock" in error.message


def test_fields_of_v1beta1_that_are_not_executed(still: BatchBench) -> None:
    for more in (
        {"model": None, "endpoint": f"{PARENT}/endpoints/1"},
        {"model_monitoring_config": {"stats_anomalies_base_directory": OUT}},
    ):
        given = {"parent": PARENT, "batch_prediction_job": request(**more)}
        with pytest.raises(GoogleError, match="not executed") as caught:
            still.world.call(HERE, "JobService.CreateBatchPredictionJob", given, "v1beta1")
        assert caught.value.code == "UNIMPLEMENTED"


def test_a_model_that_is_not_there(still: BatchBench) -> None:
    assert still.refused(model=f"{PARENT}/models/none").code == "NOT_FOUND"
    assert still.refused(model=f"{MODEL}@9").code == "NOT_FOUND"
    assert still.refused(model="tripler").code == "INVALID_ARGUMENT"


def test_defaults_of_the_resources(bench: BatchBench) -> None:
    job = bench.scored(1)
    assert job["dedicated_resources"]["max_replica_count"] == 10
    assert 1 <= job["dedicated_resources"]["starting_replica_count"] <= 10


def test_lists_filter_by_the_documented_fields(bench: BatchBench) -> None:
    bench.scored(1, display_name="first", labels={"team": "a"})
    bench.advance(1)
    bench.scored(1, display_name="second")
    bench.advance(1)
    bench.scored("refuse", display_name="third")

    def listed(filter_: str) -> list[str]:
        found = bench.call("ListBatchPredictionJobs", parent=PARENT, filter=filter_)
        return [one["display_name"] for one in found["batch_prediction_jobs"]]

    assert listed("") == ["third", "second", "first"]
    assert listed('state="JOB_STATE_SUCCEEDED" AND display_name:"sec*"') == ["second"]
    assert listed('model_display_name="My tripler" AND labels.team=a') == ["first"]
    assert listed('model_display_name!="My tripler"') == []
    assert listed('NOT display_name="second" AND state!="JOB_STATE_FAILED"') == ["first"]


def test_delete_forgets_the_job_and_keeps_its_results(bench: BatchBench) -> None:
    job = bench.scored(1)
    bench.done(bench.call("DeleteBatchPredictionJob", name=job["name"]))
    for method in ("Get", "Cancel", "Delete"):
        with pytest.raises(GoogleError, match=r"was not found") as caught:
            bench.call(f"{method}BatchPredictionJob", name=job["name"])
        assert caught.value.code == "NOT_FOUND"
    assert bench.predictions(job) == [3]


@pytest.mark.parametrize("choice", ["failed-precondition", "ignore"])
def test_cancel_of_a_job_that_has_ended(bench: BatchBench, choice: str) -> None:
    bench.world.switches.set("cancel-of-ended-job", choice)
    name = bench.scored(1)["name"]
    if choice == "ignore":
        bench.call("CancelBatchPredictionJob", name=name)
    else:
        with pytest.raises(GoogleError) as caught:
            bench.call("CancelBatchPredictionJob", name=name)
        assert caught.value.code == "FAILED_PRECONDITION"
    assert bench.call("GetBatchPredictionJob", name=name)["state"] == "JOB_STATE_SUCCEEDED"
