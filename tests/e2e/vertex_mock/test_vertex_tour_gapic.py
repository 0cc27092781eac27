"""The tour by Google's generated clients, on both transports.

The clock is real: they wait by looking again and again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import google.cloud.aiplatform_v1 as api
import grpc
import pytest
from google.api import httpbody_pb2
from google.api_core.exceptions import GoogleAPICallError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.protobuf import json_format, struct_pb2

from cloudml.testing.mocks import MockInUse
from tests.e2e.vertex_mock import vertex_tour_parts as parts

LOOK = 0.02
PATIENCE = 30.0
Made = dict[str, Any]


class Tour:
    """Clients by the names of their classes, made once, and how this tour waits."""

    def __init__(self, connect: Callable[[Any], Any]) -> None:
        self._connect = connect
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._connect(getattr(api, f"{service}ServiceClient"))
        return self._made[service]

    def over(self, get: Callable[..., Any], name: str) -> Any:
        """A job that has come to its end."""
        limit = time.monotonic() + PATIENCE
        while not (job := get(name=name)).end_time:
            assert time.monotonic() < limit, job.state
            time.sleep(LOOK)
        return job


def made(kind: Any, document: parts.Json) -> Any:
    """A message of a client's; Structs and Values in it cannot be given to its constructor as plain JSON."""
    return kind.wrap(json_format.ParseDict(document, kind.pb()()))


def done(operation: Any) -> Any:
    """The result of a long-running operation."""
    return operation.result(timeout=PATIENCE, polling=Retry(initial=LOOK, maximum=LOOK, predicate=_is_under_way))


def _is_under_way(error: Exception) -> bool:
    return type(error).__name__ == "_OperationNotComplete"


def refusal(call: Callable[..., Any], **request: Any) -> int:
    """The HTTP code that both transports' exceptions bear."""
    with pytest.raises(GoogleAPICallError) as caught:
        call(**request)
    return int(caught.value.code or 0)


@pytest.fixture(params=["grpc", "rest"])
def tour(request: pytest.FixtureRequest, tour_mock: MockInUse) -> Iterator[Tour]:
    if request.param == "rest":
        options = {"api_endpoint": tour_mock.url}
        yield Tour(lambda kind: kind(credentials=AnonymousCredentials(), transport="rest", client_options=options))
        return
    with grpc.insecure_channel(tour_mock.running.endpoint) as channel:  # type: ignore[attr-defined]
        yield Tour(lambda kind: kind(transport=kind.get_transport_class("grpc")(channel=channel)))


def test_the_tour(tour: Tour, tour_mock: MockInUse) -> None:
    parts.fill(tour_mock)
    pipelines(tour)
    schedules(tour)
    custom_jobs(tour)
    tuning(tour)
    model = models(tour)
    endpoints(tour, model)
    done(tour("Model").delete_model_version(name=f"{model}@2"))
    done(tour("Model").delete_model(name=model))
    assert list(tour("Model").list_models(parent=parts.PARENT)) == []
    logs(tour_mock)


def _request(job_id: str, value: float, seconds: float = 0) -> Any:
    document = {"pipeline_job": parts.pipeline_job(value, seconds), "parent": parts.PARENT, "pipeline_job_id": job_id}
    return made(api.CreatePipelineJobRequest, document)


def _tasks(job: Any) -> dict[str, str]:
    return {one.task_name: one.state.name for one in job.job_detail.task_details}


def pipelines(tour: Tour) -> None:
    client = tour("Pipeline")
    ended = {}
    for job_id, value, cached in (("first", 0.9, False), ("again", 0.9, True), ("below", 0.2, False)):
        job = tour.over(client.get_pipeline_job, client.create_pipeline_job(_request(job_id, value)).name)
        assert job.state.name == "PIPELINE_STATE_SUCCEEDED"
        assert _tasks(job) == parts.expected_tasks(value, cached)
        ended[job_id] = job.name
    assert refusal(client.create_pipeline_job, request=_request("first", 0.9)) == 409
    assert refusal(client.create_pipeline_job, request=_request("1st", 0.9)) == 400
    wanted = {"parent": parts.PARENT, "filter": 'labels.team="tour"', "order_by": "create_time", "page_size": 2}
    assert [one.name for one in client.list_pipeline_jobs(request=wanted)] == list(ended.values())
    long = client.create_pipeline_job(_request("long", 0.9, seconds=60)).name
    assert refusal(client.delete_pipeline_job, name=long) == 400
    client.cancel_pipeline_job(name=long)
    assert tour.over(client.get_pipeline_job, long).state.name == "PIPELINE_STATE_CANCELLED"
    done(client.delete_pipeline_job(name=ended["below"]))
    assert refusal(client.get_pipeline_job, name=ended["below"]) == 404


def schedules(tour: Tour) -> None:
    client = tour("Schedule")
    document = {"display_name": "yearly", "cron": parts.YEARLY, "max_concurrent_run_count": 1}
    template = {"parent": parts.PARENT, "pipeline_job": parts.pipeline_job(0.9)}
    schedule = made(api.Schedule, {**document, "create_pipeline_job_request": template})
    name = client.create_schedule(parent=parts.PARENT, schedule=schedule).name
    client.pause_schedule(name=name)
    assert client.get_schedule(name=name).state.name == "PAUSED"
    client.resume_schedule(name=name, catch_up=False)
    change = {"schedule": {"name": name, "max_run_count": 3}, "update_mask": {"paths": ["max_run_count"]}}
    assert client.update_schedule(request=change).max_run_count == 3
    assert [one.state.name for one in client.list_schedules(parent=parts.PARENT)] == ["ACTIVE"]
    change = {"schedule": {"name": name, "cron": "every day"}, "update_mask": {"paths": ["cron"]}}
    assert refusal(client.update_schedule, request=change) == 400
    done(client.delete_schedule(name=name))
    assert refusal(client.get_schedule, name=name) == 404


def custom_jobs(tour: Tour) -> None:
    client = tour("Job")
    names = {
        text: client.create_custom_job(parent=parts.PARENT, custom_job=parts.custom_job(text)).name
        for text in ("echo said by the job", "exit 3", "sleep 60")
    }
    client.cancel_custom_job(name=names["sleep 60"])
    ends = {text: tour.over(client.get_custom_job, name) for text, name in names.items()}
    states = {text: job.state.name.removeprefix("JOB_STATE_") for text, job in ends.items()}
    assert states == {"echo said by the job": "SUCCEEDED", "exit 3": "FAILED", "sleep 60": "CANCELLED"}
    assert "3" in ends["exit 3"].error.message
    failed = client.list_custom_jobs(request={"parent": parts.PARENT, "filter": "state=JOB_STATE_FAILED"})
    assert [one.name for one in failed] == [names["exit 3"]]
    done(client.delete_custom_job(name=names["exit 3"]))
    assert refusal(client.get_custom_job, name=names["exit 3"]) == 404


def tuning(tour: Tour) -> None:
    client = tour("Job")
    search = parts.search()
    name = client.create_hyperparameter_tuning_job(parent=parts.PARENT, hyperparameter_tuning_job=search).name
    job = tour.over(client.get_hyperparameter_tuning_job, name)
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert sorted(trial.id for trial in job.trials) == ["1", "2", "3"]
    for trial in job.trials:
        given = {one.parameter_id: one.value for one in trial.parameters}
        assert trial.final_measurement.metrics[0].value == pytest.approx(parts.score(**given))


def models(tour: Tour) -> str:
    client = tour("Model")
    parent = ""
    for version in parts.FACTORS:
        request = {"parent": parts.PARENT, "model": parts.model(version), "model_id": "" if parent else "multiplier"}
        answer = done(client.upload_model(request={**request, "parent_model": parent}))
        assert answer.model_version_id == version
        parent = answer.model
    client.merge_version_aliases(name=f"{parent}@1", version_aliases=["champion"])
    client.merge_version_aliases(name=f"{parent}@2", version_aliases=["champion"])
    found = {one.version_id: set(one.version_aliases) for one in client.list_model_versions(name=parent)}
    assert found == {"1": {"default"}, "2": {"champion"}}
    assert client.get_model(name=f"{parent}@champion").version_id == "2"
    assert refusal(client.delete_model_version, name=f"{parent}@9") == 404
    return str(parent)


def endpoints(tour: Tour, model: str) -> None:
    client, asked = tour("Endpoint"), tour("Prediction")
    name = done(client.create_endpoint(parent=parts.PARENT, endpoint={"display_name": "multiplier"})).name
    for version, identifier, split in (("1", "11", {"0": 100}), ("2", "22", {"0": 10, "11": 90})):
        deployed = parts.deployed(f"{model}@{version}", identifier)
        done(client.deploy_model(request={"endpoint": name, "deployed_model": deployed, "traffic_split": split}))
    endpoint = client.get_endpoint(name=name)
    assert dict(endpoint.traffic_split) == {"11": 90, "22": 10}
    for split in ({"11": 90, "22": 20}, {"11": 100, "33": 0}):
        assert refusal(client.update_endpoint, **_split(name, split)) == 400
    three = json_format.ParseDict(3, struct_pb2.Value())
    answers = [asked.predict(endpoint=name, instances=[three]) for _ in range(20)]
    seen = Counter((one.deployed_model_id, one.predictions[0]) for one in answers)
    assert set(seen) <= {("11", 6.0), ("22", 9.0)} and seen["11", 6.0] > seen["22", 9.0]
    assert refusal(client.undeploy_model, endpoint=name, deployed_model_id="11") == 400
    client.update_endpoint(**_split(name, {"11": 0, "22": 100}, endpoint.etag))
    assert refusal(client.update_endpoint, **_split(name, {"11": 100, "22": 0}, endpoint.etag)) == 409
    if client.transport.kind == "grpc":  # by REST the client takes the container's answer for JSON of an HttpBody
        body = httpbody_pb2.HttpBody(content_type="application/json", data=json.dumps({"instances": [5]}).encode())
        assert json.loads(asked.raw_predict(endpoint=name, http_body=body).data) == {"predictions": [15.0]}
    done(client.undeploy_model(endpoint=name, deployed_model_id="11"))
    assert refusal(client.delete_endpoint, name=name) == 400
    done(client.undeploy_model(endpoint=name, deployed_model_id="22"))
    done(client.delete_endpoint(name=name))
    assert list(client.list_endpoints(parent=parts.PARENT)) == []


def _split(name: str, split: dict[str, int], etag: str = "") -> Made:
    return {
        "endpoint": {"name": name, "traffic_split": split, "etag": etag},
        "update_mask": {"paths": ["traffic_split"]},
    }


def logs(mock: MockInUse) -> None:
    with grpc.insecure_channel(mock.running.endpoint) as channel:  # type: ignore[attr-defined]
        transport = LoggingServiceV2Client.get_transport_class("grpc")
        client = LoggingServiceV2Client(transport=transport(channel=channel))
        wanted = {"resource_names": [f"projects/{parts.PROJECT}"], "filter": 'textPayload:"said by the job"'}
        limit = time.monotonic() + PATIENCE
        while not (found := [one.text_payload for one in client.list_log_entries(request=wanted)]):
            assert time.monotonic() < limit
            time.sleep(LOOK)
    assert found == ["said by the job"]
