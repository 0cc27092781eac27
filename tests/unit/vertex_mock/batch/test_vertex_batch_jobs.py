"""Batch prediction jobs whose container really predicts: what it is sent, what is written, how the job ends.

Expectations: docstrings of google.cloud.aiplatform_v1.types.batch_prediction_job; Google's pages on custom containers
and "Troubleshooting".
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from cloudml_vertex.mock.core import entries, gcs
from tests.unit.vertex_mock.batch.vertex_batch_bench import IMAGE, PARENT, SPEC, BatchBench
from tests.unit.vertex_mock.jobs.vertex_bench import HERE


def test_every_instance_stands_beside_its_prediction_in_the_order_of_the_input(bench: BatchBench) -> None:
    job = bench.scored(1, {"x": 2}, [10, 0])
    assert bench.lines(job) == [
        {"instance": 1, "prediction": 3},
        {"instance": {"x": 2}, "prediction": 6},
        {"instance": [10, 0], "prediction": 30},
    ]
    assert job["completion_stats"] == {"successful_count": 3, "failed_count": 0, "incomplete_count": 0}
    assert bench.states(job["name"]) == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert bench.files(job)["prediction.errors_stats-00000-of-00001"] == ""
    assert job["create_time"] <= job["start_time"] <= job["end_time"]
    assert "error" not in job


def test_the_directory_is_called_after_the_model_and_the_time(bench: BatchBench) -> None:
    job = bench.scored(1)
    folder = job["output_info"]["gcs_output_directory"]
    assert re.fullmatch(r"gs://bucket/out/prediction-My tripler-\d{4}_\d\d_\d\dT\d\d_\d\d_\d\d_\d{3}Z", folder)
    day = job["create_time"].partition("T")[0].replace("-", "_")
    assert day in folder
    assert set(bench.files(job)) == {
        "prediction.results-00000-of-00001",
        "prediction.errors_stats-00000-of-00001",
    }


def test_names_as_the_reference_has_them(bench: BatchBench) -> None:
    bench.world.switches.set("batch-output-names", "documented")
    job = bench.scored(1, "refuse", manual_batch_tuning_parameters={"batch_size": 1})
    stamp = job["output_info"]["gcs_output_directory"].removeprefix("gs://bucket/out/prediction-My tripler-")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    files = bench.files(job)
    assert json.loads(files["predictions_0001.jsonl"]) == {"instance": 1, "prediction": 3}
    failed = json.loads(files["errors_0001.jsonl"])
    assert failed["instance"] == "refuse"
    assert failed["error"]["code"] == 3
    assert set(failed["error"]) == {"code", "message"}
    assert len(files) == 2


@pytest.mark.parametrize(("size", "counts"), [(None, [64, 64, 2]), (100, [100, 30]), (1000, [130])])
def test_instances_are_sent_in_batches_of_64_unless_told(
    bench: BatchBench, size: int | None, counts: list[int]
) -> None:
    tuning = {"batch_size": size} if size else None
    job = bench.scored(*["count"] * 130, manual_batch_tuning_parameters=tuning)
    assert bench.predictions(job) == [count for count in counts for _ in range(count)]


def test_many_instances_make_several_files(bench: BatchBench) -> None:
    job = bench.scored(*range(2001), manual_batch_tuning_parameters={"batch_size": 700})
    names = sorted(name for name in bench.files(job) if "results" in name)
    assert names == [f"prediction.results-0000{number}-of-00003" for number in range(3)]
    assert bench.predictions(job) == [3 * number for number in range(2001)]


def test_parameters_go_with_every_request(bench: BatchBench) -> None:
    job = bench.scored("body", model_parameters={"threshold": 0.5})
    assert bench.predictions(job) == [{"instances": ["body"], "parameters": {"threshold": 0.5}}]
    assert bench.predictions(bench.scored("body")) == [{"instances": ["body"]}]


def test_an_alias_is_the_version_that_has_it_when_the_job_is_made(bench: BatchBench) -> None:
    assert bench.upload(5, version_aliases=["golden"]) == "2"
    job = bench.scored(1, model=f"{PARENT}/models/tripler@golden")
    assert (job["model"], job["model_version_id"]) == (f"{PARENT}/models/tripler", "2")
    assert bench.predictions(job) == [5]
    job = bench.scored(
        1, model="projects/my-team/locations/us-central1/models/tripler".replace("my-team", HERE.account)
    )
    assert job["model_version_id"] == "1"
    assert bench.predictions(job) == [3]


def test_the_container_knows_its_model(bench: BatchBench) -> None:
    [told] = bench.predictions(bench.scored("environment"))
    assert told["AIP_MODEL_NAME"] == "tripler"
    assert told["AIP_VERSION_NAME"] == "1"
    assert told["AIP_MACHINE_TYPE"] == "n1-standard-2"
    assert told["AIP_PREDICT_ROUTE"] == "/predict"
    assert told["AIP_PROJECT_NUMBER"] == HERE.account
    assert told["AIP_STORAGE_URI"].startswith("gs://caip-tenant-")  # a copy of the artifacts


def test_a_model_that_is_not_registered(bench: BatchBench) -> None:
    gcs.write(bench.world, "gs://bucket/raw/factor", b"7")
    unmanaged = {"artifact_uri": "gs://bucket/raw", "container_spec": SPEC}
    job = bench.scored(2, model=None, unmanaged_container_model=unmanaged)
    assert bench.predictions(job) == [14]
    assert job["unmanaged_container_model"] == {"artifact_uri": "gs://bucket/raw"}  # container_spec: input only
    assert "model" not in job
    assert "model_version_id" not in job


def test_csv_is_sent_as_arrays_without_its_header(bench: BatchBench) -> None:
    gcs.write(bench.world, "gs://bucket/in.csv", b'size,name\n2,"a, b"\n4,c\n')
    source = {"instances_format": "csv", "gcs_source": {"uris": ["gs://bucket/in.csv"]}}
    job = bench.ended(bench.score(input_config=source))
    assert bench.lines(job) == [
        {"instance": [2, "a, b"], "prediction": 6},
        {"instance": [4, "c"], "prediction": 12},
    ]


def test_csv_is_written_only_where_the_switch_says_so(bench: BatchBench) -> None:
    output = {"predictions_format": "csv", "gcs_destination": {"output_uri_prefix": "gs://bucket/out/"}}
    assert "supported_output_storage_formats: jsonl, bigquery" in bench.refused(output_config=output).message
    bench.world.switches.set("csv-predictions", "write")
    job = bench.scored({"x": 1, "y": "a,b"}, {"x": 2, "y": "c"}, output_config=output)
    assert bench.files(job)["prediction.results-00000-of-00001.csv"] == 'x,y,prediction\n1,"a,b",3.0\n2,c,6.0\n'


def test_a_key_stands_for_the_instance(bench: BatchBench) -> None:
    job = bench.scored({"id": "a", "x": 1}, {"id": "b", "x": 2}, instance_config={"key_field": "id"})
    assert bench.lines(job) == [{"key": "a", "prediction": 3}, {"key": "b", "prediction": 6}]


def test_a_batch_that_the_container_refuses_fails_and_the_others_do_not(bench: BatchBench) -> None:
    values = ["refuse", 1, "refuse", 5, 2, 4]
    job = bench.scored(*values, manual_batch_tuning_parameters={"batch_size": 2})
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["completion_stats"] == {"successful_count": 2, "failed_count": 4, "incomplete_count": 0}
    assert bench.predictions(job) == [6, 12]
    [line] = bench.files(job)["prediction.errors_stats-00000-of-00001"].splitlines()
    message, count = ast.literal_eval(line)
    assert count == 4
    expected = "Exceeded retries: Non-OK result 400 (no such instance) from server, retry=3."
    assert message == f"Post request fails. Cannot get predictions. Error: {expected}"


@pytest.mark.parametrize(("value", "word"), [("nonsense", "predictions"), ("short", "0 predictions for 1 instances")])
def test_answers_that_are_no_predictions_fail(bench: BatchBench, value: str, word: str) -> None:
    job = bench.scored(value)
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == 13
    assert word in job["error"]["message"]
    assert job["completion_stats"]["failed_count"] == 1


def test_when_nothing_is_predicted_the_switch_says_how_it_ends(bench: BatchBench) -> None:
    job = bench.scored("refuse")
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    bench.world.switches.set("batch-all-failed", "succeed")
    job = bench.scored("refuse")
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["completion_stats"]["failed_count"] == 1


def test_a_batch_is_tried_again(bench: BatchBench) -> None:
    assert bench.predictions(bench.scored("flaky")) == ["at last"]


def test_lines_that_are_no_json_are_not_sent(bench: BatchBench) -> None:
    gcs.write(bench.world, "gs://bucket/in.jsonl", b'1\n{"x": \n\n2\n')
    job = bench.ended(bench.score())
    assert bench.predictions(job) == [3, 6]
    assert job["completion_stats"] == {"successful_count": 2, "failed_count": 1, "incomplete_count": 0}


def test_objects_that_cannot_be_read_are_partial_failures(bench: BatchBench) -> None:
    bench.put("in/a.jsonl", 1)
    bench.put("in/deep/b.jsonl", 2)
    gcs.write(bench.world, "gs://bucket/latin.jsonl", b"\xff\xfe")
    uris = ["gs://bucket/in/*.jsonl", "gs://bucket/none", "gs://nobucket/x", "gs://bucket/latin.jsonl"]
    source = {"instances_format": "jsonl", "gcs_source": {"uris": uris}}
    job = bench.ended(bench.score(input_config=source))
    assert bench.predictions(job) == [3]  # `*` stops at a slash
    assert [one["code"] for one in job["partial_failures"]] == [5, 5, 3]
    source["gcs_source"] = {"uris": ["gs://bucket/in/**", "gs://bucket/in/a.jsonl"]}
    assert bench.predictions(bench.ended(bench.score(input_config=source))) == [3, 6]  # each object once


@pytest.mark.parametrize(
    ("uri", "code"), [("gs://bucket/none.jsonl", 5), ("gs://nobucket/x", 5), ("gs://bucket/empty", 3)]
)
def test_without_instances_the_job_fails(bench: BatchBench, uri: str, code: int) -> None:
    gcs.write(bench.world, "gs://bucket/empty", b"\n")
    source = {"instances_format": "jsonl", "gcs_source": {"uris": [uri]}}
    job = bench.ended(bench.score(input_config=source))
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", code)
    assert job["completion_stats"] == {"incomplete_count": -1}


def test_without_its_bucket_the_job_fails(bench: BatchBench) -> None:
    output = {"predictions_format": "jsonl", "gcs_destination": {"output_uri_prefix": "gs://nobucket/out"}}
    job = bench.scored(1, output_config=output)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 5)


@pytest.mark.parametrize(("image", "code"), [("broken", 9), ("unknown", 3)])
def test_a_container_that_does_not_serve_fails_the_job(bench: BatchBench, image: str, code: int) -> None:
    spec = {**SPEC, "image_uri": IMAGE.replace("server", image)}
    job = bench.scored(1, model=None, unmanaged_container_model={"container_spec": spec})
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", code)
    assert not bench.files(job)


def test_what_the_container_says_is_logged_unless_told(bench: BatchBench) -> None:
    def logged(job: dict[str, Any]) -> list[str]:
        labels = {"job_id": job["name"].rpartition("/")[2]}
        found = entries.read(bench.world, HERE)
        return [
            one["text_payload"] for one in found if labels.items() <= one.get("resource", {}).get("labels", {}).items()
        ]

    assert logged(bench.scored(1)) == ["serving"]
    assert logged(bench.scored(1, disable_container_logging=True)) == []
