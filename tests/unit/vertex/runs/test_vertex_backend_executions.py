"""Runs are found by the labels of the project and target, on the mock, over its REST interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import NotFound
from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_vertex
from cloudml_vertex.container import google
from cloudml_vertex.executions import MONITOR, Executions
from cloudml_vertex.target import Place

SERVICE_ACCOUNT = "runner@mock-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def cloud() -> Iterator[MockInUse]:
    with running_vertex(MockOptions(hold=True)) as mock:
        yield mock


@pytest.fixture
def place(cloud: MockInUse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    cloud.running.reset()
    monkeypatch.setenv("CLOUDML_VERTEX_REST", cloud.url)
    return made_place(tmp_path, "shop")


def made_place(root: Path, project: str, region: str = "us-central1") -> Place:
    return Place(project, "gcp", root, "mock-project", region, SERVICE_ACCOUNT, "data", "shop/gcp")


def start(place: Place, run: str, pipeline: str = "train", **labels: str) -> str:
    """A job of one importer: nothing has to run for it to be listed."""
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    importer = {"artifactUri": {"constant": "gs://data/x"}, "typeSchema": artifact["artifactType"]}
    made = {"artifacts": {"artifact": artifact}}
    spec = {
        "schemaVersion": "2.1.0", "sdkVersion": "cloudml", "pipelineInfo": {"name": "made"},
        "components": {"comp-a": {"executorLabel": "exec-a", "outputDefinitions": made}},
        "deploymentSpec": {"executors": {"exec-a": {"importer": importer}}},
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}},
    }  # fmt: skip
    job: dict[str, Any] = {
        "pipeline_spec": spec, "runtime_config": {"gcs_output_directory": "gs://data/root"},
        "labels": {**place.identity(pipeline), **labels},
    }  # fmt: skip
    rpc = "PipelineService.CreatePipelineJob"
    return str(google.call(rpc, parent=place.parent, pipeline_job=job, pipeline_job_id=run)["name"])


def ids(place: Place, pipeline: str | None = None, limit: int = 50) -> list[str]:
    return [str(row["name"]).rpartition("/")[2] for row in Executions(google, place).jobs(pipeline, limit)]


def test_the_newest_come_first_and_no_more_than_asked_for(cloud: MockInUse, place: Place) -> None:
    for run in ("one", "two", "three"):
        start(place, run)
        cloud.advance(1)
    assert ids(place) == ["three", "two", "one"]
    assert ids(place, limit=2) == ["three", "two"]


def test_other_projects_other_pipelines_and_monitors_are_left_out(place: Place, tmp_path: Path) -> None:
    start(place, "mine")
    start(place, "other-pipeline", "score")
    start(place, "watching", **{MONITOR: "drift"})
    start(made_place(tmp_path, "bank"), "theirs")
    assert ids(place, "train") == ["mine"]
    assert sorted(ids(place)) == ["mine", "other-pipeline"]


def test_monitors_do_not_use_up_the_limit(place: Place) -> None:
    start(place, "mine")
    for number in range(3):
        start(place, f"watching-{number}", **{MONITOR: "drift"})
    assert ids(place, limit=1) == ["mine"]


def test_a_run_is_found_by_id_by_full_name_and_as_the_last(cloud: MockInUse, place: Place) -> None:
    executions = Executions(google, place)
    first = start(place, "one")
    cloud.advance(1)
    second = start(place, "two")
    assert executions.find("one") == first
    assert executions.find(first) == first
    assert executions.find("last") == second


def test_a_run_of_another_project_or_region_is_none_of_ours(place: Place, tmp_path: Path) -> None:
    name = start(made_place(tmp_path, "bank"), "theirs")
    mine = start(place, "mine")
    for run in ("theirs", name, mine.replace("us-central1", "europe-west4"), "../mine", "Mine/x"):
        with pytest.raises(NotFound, match="there is no run"):
            Executions(google, place).find(run)


def test_who_mistypes_is_told_what_there_is(place: Place) -> None:
    executions = Executions(google, place)
    with pytest.raises(NotFound, match="no run yet"):
        executions.find("last")
    start(place, "train-20261124")
    with pytest.raises(NotFound) as caught:
        executions.find("train-20261142")
    assert caught.value.hint == "did you mean train-20261124?"
