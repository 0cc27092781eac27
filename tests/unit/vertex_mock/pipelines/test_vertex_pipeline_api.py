"""PipelineService's rules: the comments of its protos and the docstrings of its client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vertex_pipeline_bench import HERE, PARENT, Bench, Spec, task

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError


def simple(image: str = "write") -> Spec:
    spec = Spec()
    spec.container("one", image)
    return spec.main({"a": task("one")})


def refused(action: Any) -> GoogleError:
    with pytest.raises(GoogleError) as found:
        action()
    return found.value


def test_an_id_is_taken_once(bench: Bench) -> None:
    name = bench.submit(simple(), "job-1")
    assert name == f"{PARENT}/pipelineJobs/job-1"
    assert refused(lambda: bench.submit(simple(), "job-1")).code == "ALREADY_EXISTS"


def test_an_id_is_made_from_the_pipelines_name(bench: Bench) -> None:
    first, second = bench.submit(simple()), bench.submit(simple())
    assert first != second and first.rpartition("/")[2].startswith("pipe-")


@pytest.mark.parametrize("identifier", ["Job", "1job", "job_1", "a" * 128, "-a", "a/b"])
def test_ids_that_are_refused(bench: Bench, identifier: str) -> None:
    assert refused(lambda: bench.submit(simple(), identifier)).code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": "x" * 129},
        {"labels": {"Team": "ml"}},
        {"runtime_config": {"gcs_output_directory": ""}},
        {"runtime_config": {"gcs_output_directory": "/tmp/x"}},
        {"network": "default"},
        {"service_account": "me"},
        {"encryption_spec": {"kms_key_name": "key"}},
        {"runtime_config": {"parameter_values": {"unknown": 1}}},
        {"runtime_config": {"input_artifacts": {"unknown": {"artifact_id": "1"}}}},
    ],
)
def test_jobs_that_are_refused(bench: Bench, wrong: dict[str, Any]) -> None:
    assert refused(lambda: bench.submit(simple(), **wrong)).code == "INVALID_ARGUMENT"
    assert not bench.call("ListPipelineJobs").get("pipeline_jobs")


def test_a_spec_of_another_schema_is_refused(bench: Bench) -> None:
    document = {**simple().document(), "schemaVersion": "9.9.9"}
    job = {"pipeline_spec": document, "runtime_config": {"gcs_output_directory": "gs://bucket/x"}}
    assert refused(lambda: bench.call("CreatePipelineJob", pipeline_job=job)).code == "INVALID_ARGUMENT"


def test_a_required_parameter_is_missed_at_once(bench: Bench) -> None:
    spec = simple()
    spec.root["inputDefinitions"] = {"parameters": {"x": {"parameterType": "STRING"}}}
    assert refused(lambda: bench.submit(spec)).code == "INVALID_ARGUMENT"


def test_a_template_in_cloud_storage(bench: Bench) -> None:
    gcs.write(bench.world, "gs://bucket/pipe.json", json.dumps(simple().document()).encode())
    job = bench.run(None, template_uri="gs://bucket/pipe.json")
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert job["template_metadata"]["version"].startswith("sha256:")
    assert refused(lambda: bench.submit(None)).code == "INVALID_ARGUMENT"
    assert refused(lambda: bench.submit(None, template_uri="gs://bucket/none.json")).code == "INVALID_ARGUMENT"
    registry = "https://us-kfp.pkg.dev/proj/repo/pipe/v1"
    assert refused(lambda: bench.submit(None, template_uri=registry)).code == "UNIMPLEMENTED"


def test_the_billing_label_is_overridden(bench: Bench) -> None:
    job = bench.run(simple(), labels={"vertex-ai-pipelines-run-billing-id": "mine", "team": "ml"})
    assert job["labels"]["team"] == "ml"
    assert job["labels"]["vertex-ai-pipelines-run-billing-id"].isdigit()


def test_list_filters_orders_and_pages(bench: Bench) -> None:
    for number in range(3):
        bench.run(simple(), f"job-{number}", display_name=f"run {number}", labels={"n": str(number)})
        bench.world.clock.advance(60)

    def ids(**params: Any) -> list[str]:
        return [job["name"].rpartition("/")[2] for job in bench.call("ListPipelineJobs", **params)["pipeline_jobs"]]

    assert ids() == ["job-2", "job-1", "job-0"]
    assert ids(order_by="create_time") == ["job-0", "job-1", "job-2"]
    assert ids(filter='labels.n="1"') == ["job-1"]
    assert ids(filter='display_name="run 2" AND state="PIPELINE_STATE_SUCCEEDED"') == ["job-2"]
    assert len(ids(filter='pipeline_name="pipe"')) == 3
    page = bench.call("ListPipelineJobs", page_size=2)
    assert ids(page_size=2, page_token=page["next_page_token"]) == ["job-0"]
    assert bench.call("ListPipelineJobs", read_mask="name")["pipeline_jobs"][0].keys() == {"name"}
    assert refused(lambda: ids(filter="colour=1")).code == "INVALID_ARGUMENT"


def test_cancel_stops_what_runs(bench: Bench) -> None:
    spec = Spec()
    spec.container("stuck", "hang")
    spec.main({"a": task("stuck"), "b": task("stuck", "a")})
    name = bench.submit(spec)
    bench.settle()
    bench.call("CancelPipelineJob", name=name)
    job = bench.ended(name)
    assert job["state"] == "PIPELINE_STATE_CANCELLED" and job["error"]["code"] == 1
    (detail,) = job["job_detail"]["task_details"]
    history = [one["state"] for one in detail["pipeline_task_status"]]
    assert history == ["PENDING", "RUNNING", "CANCEL_PENDING", "CANCELLING", "CANCELLED"]
    assert bench.jobs[0]["state"] == "JOB_STATE_CANCELLED" and len(bench.jobs) == 1
    bench.call("CancelPipelineJob", name=name)
    assert bench.call("GetPipelineJob", name=name)["state"] == "PIPELINE_STATE_CANCELLED"


def test_cancel_of_a_task_that_waits_for_its_retry(bench: Bench) -> None:
    spec = Spec()
    spec.container("bad", "fail")
    policy = {"maxRetryCount": 3, "backoffDuration": "600s"}
    name = bench.submit(spec.main({"a": task("bad", retry=policy)}))
    bench.settle()
    bench.call("CancelPipelineJob", name=name)
    assert bench.ended(name)["state"] == "PIPELINE_STATE_CANCELLED"
    bench.world.clock.advance(3600)
    assert len(bench.jobs) == 1


def test_delete_only_what_has_ended(bench: Bench) -> None:
    name = bench.submit(simple("hang"))
    bench.settle()
    assert refused(lambda: bench.call("DeletePipelineJob", name=name)).code == "FAILED_PRECONDITION"
    bench.call("CancelPipelineJob", name=name)
    bench.ended(name)
    operation = bench.call("DeletePipelineJob", name=name)
    bench.settle()
    assert bench.world.table("Operation", HERE)[operation["name"]]["done"]
    assert refused(lambda: bench.call("GetPipelineJob", name=name)).code == "NOT_FOUND"
    assert len(bench.world.table("PipelineTask", HERE)) == 0


def test_batches_are_all_or_none(bench: Bench) -> None:
    over = [bench.run(simple(), f"over-{number}")["name"] for number in range(2)]
    live = [bench.submit(simple("hang"), f"live-{number}") for number in range(2)]
    bench.settle()
    both = {"parent": PARENT, "names": [*over, *live]}
    assert refused(lambda: bench.call("BatchDeletePipelineJobs", **both)).code == "FAILED_PRECONDITION"
    operation = bench.call("BatchCancelPipelineJobs", **both)
    for name in live:
        bench.ended(name)
    bench.settle()
    found = bench.world.table("Operation", HERE)[operation["name"]]
    assert {job["name"] for job in found["response"]["pipeline_jobs"]} == set(live)
    bench.call("BatchDeletePipelineJobs", **both)
    bench.settle()
    assert not bench.call("ListPipelineJobs").get("pipeline_jobs")


def test_a_batch_has_at_most_32(bench: Bench) -> None:
    many = [f"{PARENT}/pipelineJobs/job-{number}" for number in range(33)]
    for method in ("BatchDeletePipelineJobs", "BatchCancelPipelineJobs"):
        assert refused(lambda method=method: bench.call(method, names=many)).code == "INVALID_ARGUMENT"
        assert refused(lambda method=method: bench.call(method, names=many[:2])).code == "NOT_FOUND"
