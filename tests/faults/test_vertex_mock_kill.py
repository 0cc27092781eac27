"""The Vertex AI mock, killed again and again while a pipeline, a deployment and a schedule are under way."""

from __future__ import annotations

import collections
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from google.api_core.exceptions import AlreadyExists
from google.protobuf.struct_pb2 import Value
from vertex_lab import PARENT, SERVER, STATIC_SERVER, Server, job_name, job_request, note, spec, until

from cloudml.errors import MockError
from cloudml.mocks.remote import MockControl

STEPS = 6
OVER = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = tmp_path / "server.py"
    program.write_text(STATIC_SERVER)
    made = Server(tmp_path / "state", program, f"mark-{uuid.uuid4().hex}", "--hold-clock")
    yield made
    made.kill()
    assert made.strays() == {}


LONG = [pytest.param(seed, 6, marks=pytest.mark.slow) for seed in range(2, 12)]


@pytest.mark.parametrize(("seed", "kills"), [(1, 2), *LONG])
def test_killed_again_and_again_everything_ends_right(server: Server, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    server.start()
    endpoint = begin(server)
    under_way = 0
    for number in range(kills):
        if number == kills // 2:
            in_the_background(server.url, 120)  # the schedule falls due
        time.sleep(chance.uniform(0.0, 0.6))
        under_way += state(server, "chain") not in OVER
        server.kill()
        server.start()
    until(lambda: state(server, "chain") in OVER, "the end", 120)
    assert under_way, "kills must hit a job that is under way"
    MockControl(server.url, timeout=120).advance(180)

    pipelines = server.clients["Pipeline"]
    job = pipelines.get_pipeline_job(name=job_name("chain"))
    assert job.state.name == "PIPELINE_STATE_SUCCEEDED", job.error
    tasks = {one.task_name: one.state.name for one in job.job_detail.task_details}
    assert tasks == dict.fromkeys([*(f"step-{n}" for n in range(STEPS)), "beside"], "SUCCEEDED")
    [scheduled] = [one for one in pipelines.list_pipeline_jobs(parent=PARENT) if one.schedule_name]
    assert scheduled.state.name == "PIPELINE_STATE_SUCCEEDED"
    custom = list(server.clients["Job"].list_custom_jobs(parent=PARENT))
    assert len(custom) == STEPS + 1 + 1, "no task has two jobs"
    assert {one.state.name for one in custom} == {"JOB_STATE_SUCCEEDED"}
    said = collections.Counter(server.said())
    assert set(said) == {*(f"step-{n}" for n in range(STEPS)), "beside", "tick"}
    # What was running when the kill came runs again; what had ended does not.
    assert sum(said.values()) - len(said) <= 2 * kills
    ask = server.clients["Prediction"].predict
    answer = until(lambda: ask(endpoint=endpoint, instances=[Value(number_value=1)]), "an answer")
    assert list(answer.predictions) == ["yes"]
    assert server.terminate() == 0
    assert server.strays() == {}
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 8))])
def test_what_was_answered_is_not_lost(server: Server, seed: int) -> None:
    """Whatever the client was told exists is there after a kill, and a job whose answer was lost is there once."""
    chance = random.Random(seed)
    server.start()
    told: list[str] = []
    stop = threading.Event()

    def submit() -> None:
        pipelines = server.clients["Pipeline"]
        for number in range(1000):
            if stop.is_set():
                return
            with suppress(Exception):
                pipelines.create_pipeline_job(job_request(f"job-{number}", spec("p", {"one": ":"})), timeout=5)
                told.append(f"job-{number}")

    thread = threading.Thread(target=submit)
    thread.start()
    until(lambda: told, "the first answer")
    time.sleep(chance.uniform(0.0, 0.8))
    stop_at = len(told)
    stop.set()
    server.kill()
    thread.join(30)
    server.start()
    pipelines = server.clients["Pipeline"]
    found = [one.name.rpartition("/")[2] for one in pipelines.list_pipeline_jobs(parent=PARENT)]
    assert set(told) <= set(found), stop_at
    assert len(found) == len(set(found)) <= len(told) + 1
    with pytest.raises(AlreadyExists):
        pipelines.create_pipeline_job(job_request(told[-1], spec("p", {"one": ":"})))
    for one in found:
        until(lambda one=one: state(server, one) == "PIPELINE_STATE_SUCCEEDED", one)


def state(server: Server, identifier: str) -> str:
    """Of a pipeline job."""
    return str(server.clients["Pipeline"].get_pipeline_job(name=job_name(identifier)).state.name)


def in_the_background(url: str, seconds: float) -> None:
    """Move the clock without waiting for it: the mock may be killed meanwhile."""

    def advance() -> None:
        with suppress(MockError):
            MockControl(url).advance(seconds)

    threading.Thread(target=advance, daemon=True).start()


def begin(server: Server) -> str:
    """A deployment that may not have ended yet, a schedule of one run, a job of some seconds; the endpoint's name."""
    clients = server.clients
    container = {"image_uri": SERVER, "predict_route": "/p", "health_route": "/h", "ports": [{"container_port": 8080}]}
    model = clients["Model"].upload_model(
        parent=PARENT, model={"display_name": "m", "container_spec": container}, timeout=30
    )
    endpoint = clients["Endpoint"].create_endpoint(parent=PARENT, endpoint={"display_name": "live"})
    name, deployed = endpoint.result(timeout=30).name, model.result(timeout=30).model
    clients["Endpoint"].deploy_model(
        endpoint=name,
        deployed_model={
            "id": "7", "model": deployed,
            "dedicated_resources": {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1},
        },
        traffic_split={"0": 100},
    )  # fmt: skip
    tick = job_request("unused", spec("tick", {"tick": note("tick")}))
    clients["Schedule"].create_schedule(
        parent=PARENT,
        schedule={
            "display_name": "once", "cron": "* * * * *", "max_run_count": 1, "max_concurrent_run_count": 1,
            "create_pipeline_job_request": {"parent": PARENT, "pipeline_job": tick.pipeline_job},
        },
    )  # fmt: skip
    programs = {f"step-{n}": note(f"step-{n}", "sleep 0.3") for n in range(STEPS)}
    after = {f"step-{n}": [f"step-{n - 1}"] for n in range(1, STEPS)}
    programs["beside"] = note("beside", "sleep 1")
    clients["Pipeline"].create_pipeline_job(
        job_request("chain", spec("chain", programs, {**after, "beside": ["step-0"]}))
    )
    return str(name)
