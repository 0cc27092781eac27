"""The data itself: written by kfp's own compiler, valid by the published proto, and every task is spoken of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from tests.kfp_sdk.playing import NEVER, PROGRAMS, names, read, task_paths


@pytest.fixture(params=names())
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def test_enough_is_there() -> None:
    texts = {name: json.dumps(read(name)["spec"]) for name in names()}
    assert len(texts) >= 18
    for part in (
        "triggerPolicy", "parameterIterator", "parallelismLimit", "ALL_UPSTREAM_TASKS_COMPLETED", "taskFinalStatus",
        "valueFromOneof", "retryPolicy", "backoffFactor", "importer", "Concat", "IfPresent", "accelerator",
        "kfp.dsl.executor_main", "HyperparameterTuningJob", "UploadModel", "CreateEndpoint", "DeployModel",
        "BatchPredictionJob", "CustomJob", "int(", "'plain'", "{{$.pipeline_job_name}}", "{{$}}",
    ):  # fmt: skip
        assert any(part in text for text in texts.values()), part


def test_kfp_wrote_it_for_the_published_proto(case: dict[str, Any]) -> None:
    assert case["spec"]["sdkVersion"] == f"kfp-{case['sdk']['kfp']}"
    assert case["spec"]["schemaVersion"] == "2.1.0"
    ParseDict(case["spec"], PipelineSpec())


def test_runs_account_for_every_task(case: dict[str, Any]) -> None:
    every = set(task_paths(case["spec"]))
    for run in case["runs"]:
        assert set(run["tasks"]) == every, run["name"]
        assert run["why"]
        for about in ("errors", "values", "artifacts", "jobs", "at_once"):
            assert all(run["tasks"][path] != NEVER for path in run.get(about, {})), about
        assert (run["state"] == "FAILED") == ("FAILED" in str(run["tasks"].values())), run["name"]


def test_the_programs_are_there(case: dict[str, Any]) -> None:
    for program in case["programs"].values():
        assert (PROGRAMS / program).is_file()
    for image in {
        executor["container"]["image"]
        for executor in case["spec"]["deploymentSpec"]["executors"].values()
        if "container" in executor
    }:
        assert image.startswith(("europe-docker.pkg.dev/team/tools/", "gcr.io/ml-pipeline/google-cloud-pipeline")), (
            image
        )
