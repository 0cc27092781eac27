"""Launchers of the Google Cloud components: what they send and write, by google-cloud-pipeline-components 2.22.

Payloads are those of components that kfp compiled (tests/data/kfp), and small ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.pipelines import launchers
from cloudml_vertex.mock.pipelines.launchers import Launch, LauncherProblem, Progress
from cloudml_vertex.mock.pipelines.launchers.payloads import pruned, snake_case

IMAGE = "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.22.0"
V1 = "google_cloud_pipeline_components.container.v1."
PARENT = "projects/1/locations/europe-west4"
PREFIX = "https://europe-west4-aiplatform.googleapis.com/v1/"
ENDPOINT = f"{PARENT}/endpoints/5"
KFP = Path(__file__).parents[3] / "data" / "kfp"
ARTIFACT = {"name": "art/1", "type": {"schemaTitle": "google.VertexModel"}, "uri": "gs://b/x", "metadata": {}}
UNMANAGED = {
    "uri": "gs://b/model",
    "metadata": {"containerSpec": {"imageUri": "serve", "healthRoute": "/up"}, "predictSchemata": {}},
}


class Services:
    """Answers calls from a list and keeps the requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, rpc: str, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((rpc, request))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def executor_input(*outputs: str, model: dict[str, Any] | None = None) -> str:
    inputs = {"artifacts": {"unmanaged_container_model": {"artifacts": [model]}}} if model else {}
    return json.dumps(
        {
            "inputs": inputs,
            "outputs": {
                "artifacts": {name: {"artifacts": [ARTIFACT]} for name in outputs},
                "outputFile": "/gcs/b/executor_output.json",
            },
        }
    )


def launch(module: str, payload: dict[str, Any], *more: str, location: str = "europe-west4") -> Launch:
    args = ["--type", TYPES[module], "--payload", json.dumps(payload), "--project", "1", "--location", location]
    found = launchers.recognise(
        IMAGE, ["python3", "-u", "-m", V1 + module], [*args, "--gcp_resources", "/gcs/b/gcp_resources", *more]
    )
    assert found is not None
    return found


TYPES = {
    "custom_job.launcher": "CustomJob",
    "hyperparameter_tuning_job.launcher": "HyperparameterTuningJob",
    "batch_prediction_job.launcher": "BatchPredictionJob",
    "model.upload_model.launcher": "UploadModel",
    "model.delete_model.launcher": "DeleteModel",
    "model.export_model.launcher": "ExportModel",
    "endpoint.create_endpoint.launcher": "CreateEndpoint",
    "endpoint.delete_endpoint.launcher": "DeleteEndpoint",
    "endpoint.deploy_model.launcher": "DeployModel",
    "endpoint.undeploy_model.launcher": "UndeployModel",
}


def resources(progress: Progress) -> tuple[str, str]:
    ((_, text),) = ((path, text) for path, text in progress.files.items() if path == "/gcs/b/gcp_resources")
    (one,) = json.loads(text)["resources"]
    return one["resourceType"], one["resourceUri"]


def told(progress: Progress, name: str) -> tuple[str, dict[str, Any]]:
    (one,) = json.loads(progress.files["/gcs/b/executor_output.json"])["artifacts"][name]["artifacts"]
    return one["uri"], one["metadata"]


def test_only_google_s_image_and_modules_are_launchers() -> None:
    assert launchers.recognise("python:3.11", ["python3", "-m", V1 + "custom_job.launcher"], []) is None
    assert launchers.recognise(IMAGE + "x/y", ["python3", "-m", V1 + "custom_job.launcher"], []) is None
    assert launchers.recognise(IMAGE, ["python3", "-m", "mine"], []) is None
    assert launchers.recognise(IMAGE, ["sh", "-c", "true"], []) is None
    with pytest.raises(LauncherProblem, match=r"bigquery.*is not executed by this mock"):
        launchers.recognise(IMAGE, ["python3", "-m", V1 + "bigquery.query_job.launcher"], [])


def test_the_compiled_components_are_recognised() -> None:
    modules = set()
    for path in KFP.glob("*.json"):
        text = path.read_text()
        modules |= {name for name in TYPES if V1 + name in text}
    assert {"custom_job.launcher", "hyperparameter_tuning_job.launcher", "model.upload_model.launcher"} <= modules


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "--type, --project, --location, --payload, --gcp_resources"),
        (
            ["--type", "Other", "--project=1", "--location=l", "--payload={}", "--gcp_resources=/x"],
            "Incorrect job type",
        ),
        (["--type", "CustomJob", "--project=1", "--location=l", "--payload={", "--gcp_resources=/x"], "no JSON"),
    ],
)
def test_arguments_that_a_launcher_refuses(args: list[str], says: str) -> None:
    with pytest.raises(LauncherProblem, match=says):
        launchers.recognise(IMAGE, ["python3", "-m", V1 + "custom_job.launcher"], args)


JOB = f"{PARENT}/customJobs/7"
PAYLOAD: dict[str, Any] = {
    "display_name": "fit",
    "job_spec": {
        "worker_pool_specs": [
            {"machine_spec": {"machine_type": "n1"}, "replica_count": 1, "container_spec": {"image_uri": "i"}}
        ],
        "scheduling": {
            "timeout": "60s",
            "restart_job_on_worker_restart": False,
            "strategy": "STANDARD",
            "max_wait_duration": "86400s",
        },
        "service_account": "",
        "reserved_ip_ranges": [],
        "base_output_directory": {"output_uri_prefix": ""},
    },
    "labels": {"a": "own"},
    "encryption_spec": {"kms_key_name": ""},
}


def test_a_custom_job_from_start_to_end() -> None:
    services = Services(
        {"name": JOB}, {"name": JOB, "state": "JOB_STATE_RUNNING"}, {"name": JOB, "state": "JOB_STATE_SUCCEEDED"}
    )
    custom = launch("custom_job.launcher", PAYLOAD)
    begun = launchers.start(custom, services, None, {"a": "run", "b": "run"})
    assert services.calls[0] == (
        "JobService.CreateCustomJob",
        {
            "parent": PARENT,
            "custom_job": {
                "display_name": "fit",
                "job_spec": {
                    "worker_pool_specs": PAYLOAD["job_spec"]["worker_pool_specs"],
                    "scheduling": {"timeout": "60s", "strategy": "STANDARD"},
                },
                "labels": {"a": "own", "b": "run"},
            },
        },
    )  # fmt: skip
    assert (begun.done, begun.resource, resources(begun)) == (False, JOB, ("CustomJob", PREFIX + JOB))
    running = launchers.poll(custom, begun.state, services)
    assert not running.done
    ended = launchers.poll(custom, running.state, services)
    assert (ended.done, ended.error, ended.files) == (True, None, {})
    assert services.calls[1:] == [("JobService.GetCustomJob", {"name": JOB})] * 2


def test_max_wait_duration_is_for_flex_start() -> None:
    scheduling = {**PAYLOAD["job_spec"]["scheduling"], "strategy": "FLEX_START"}
    payload = {**PAYLOAD, "job_spec": {**PAYLOAD["job_spec"], "scheduling": scheduling}}
    services = Services({"name": JOB})
    launchers.start(launch("custom_job.launcher", payload), services)
    assert services.calls[0][1]["custom_job"]["job_spec"]["scheduling"]["max_wait_duration"] == "86400s"


def test_a_job_that_an_earlier_attempt_started_is_waited_for() -> None:
    stored = json.dumps({"resources": [{"resourceType": "CustomJob", "resourceUri": PREFIX + JOB}]})
    services = Services({"name": JOB, "state": "JOB_STATE_SUCCEEDED"})
    custom = launch("custom_job.launcher", PAYLOAD)
    begun = launchers.start(custom, services, stored)
    assert (begun.resource, services.calls, begun.files) == (JOB, [], {})
    assert launchers.poll(custom, begun.state, services).done
    for wrong in ("{", json.dumps({"resources": []}), json.dumps({"resources": [{"resourceUri": "http://x"}]})):
        assert launchers.start(custom, services, wrong).error


@pytest.mark.parametrize(
    ("state", "code", "says"),
    [
        ("JOB_STATE_FAILED", 3, "Job failed with value error in error state: JOB_STATE_FAILED. why"),
        ("JOB_STATE_FAILED", 13, "Job failed with error state: JOB_STATE_FAILED. why"),
        ("JOB_STATE_CANCELLED", 1, "Job failed with error state: JOB_STATE_CANCELLED. why"),
        ("JOB_STATE_PAUSED", 1, "Job failed with error state: JOB_STATE_PAUSED. why"),
    ],
)
def test_jobs_that_fail(state: str, code: int, says: str) -> None:
    services = Services({"name": JOB, "state": state, "error": {"code": code, "message": "why"}})
    assert launchers.poll(launch("custom_job.launcher", PAYLOAD), {"name": JOB}, services).error == says


def test_a_request_that_is_refused() -> None:
    refused = launchers.start(launch("custom_job.launcher", PAYLOAD), Services(GoogleError("INVALID_ARGUMENT", "no")))
    assert refused.error == "Failed to create the resource. Error: INVALID_ARGUMENT: no"
    services = Services()
    misspelt = launchers.start(launch("custom_job.launcher", {"display_nam": "x"}), services)
    assert misspelt.error == "custom_job.display_nam: is no field of CustomJob"
    assert services.calls == []


def test_jobs_and_operations_are_cancelled() -> None:
    services = Services({}, {})
    launchers.cancel(launch("custom_job.launcher", PAYLOAD), {"name": JOB}, services)
    launchers.cancel(
        launch("endpoint.create_endpoint.launcher", {}, "--executor_input", "{}"), {"name": "op"}, services
    )
    assert services.calls == [
        ("JobService.CancelCustomJob", {"name": JOB}),
        ("Operations.CancelOperation", {"name": "op"}),
    ]


def test_tuning_counts_its_trials_for_metrics() -> None:
    args = ["--type=HyperparameterTuningJobWithMetrics", "--project=1", "--location=europe-west4", "--payload={}"]
    found = launchers.recognise(
        IMAGE,
        ["python3", "-m", V1 + "hyperparameter_tuning_job.launcher"],
        [*args, "--gcp_resources=/gcs/b/gcp_resources", "--execution_metrics=/gcs/b/metrics"],
    )
    assert found is not None
    job = {"name": "j", "state": "JOB_STATE_SUCCEEDED", "trials": [{"state": "SUCCEEDED"}, {"state": "INFEASIBLE"}]}
    done = launchers.poll(found, {"name": "j"}, Services(job))
    assert json.loads(done.files["/gcs/b/metrics"]) == {"success_trials_count": 1, "total_trials_count": 2}


def test_a_batch_prediction_tells_where_its_results_lie() -> None:
    payload = {
        "display_name": "p",
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://b/i"]},
                         "bigquery_source": {"input_uri": ""}},
        "output_config": {"predictions_format": "bigquery", "bigquery_destination": {"output_uri": "my-project.data"}},
        "dedicated_resources": {"machine_spec": {"machine_type": "n1", "accelerator_count": 0}, "max_replica_count": 1},
    }  # fmt: skip
    outputs = executor_input("batchpredictionjob", "gcs_output_directory", model=UNMANAGED)
    batch = launch("batch_prediction_job.launcher", payload, "--executor_input", outputs)
    name = f"{PARENT}/batchPredictionJobs/9"
    services = Services(
        {"name": name},
        {"name": name, "state": "JOB_STATE_SUCCEEDED", "output_info": {"gcs_output_directory": "gs://b/o"}},
    )
    begun = launchers.start(batch, services)
    job = services.calls[0][1]["batch_prediction_job"]
    assert job["input_config"] == {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://b/i"]}}
    assert job["output_config"]["bigquery_destination"] == {"output_uri": "bq://my-project.data"}
    assert job["dedicated_resources"] == {"machine_spec": {"machine_type": "n1"}, "max_replica_count": 1}
    assert job["unmanaged_container_model"] == {
        "artifact_uri": "gs://b/model",
        "container_spec": {"image_uri": "serve", "health_route": "/up"},
    }
    done = launchers.poll(batch, begun.state, services)
    uri, metadata = told(done, "batchpredictionjob")
    assert (uri, metadata["resourceName"], metadata["gcsOutputDirectory"]) == (PREFIX + name, name, "gs://b/o")
    assert told(done, "gcs_output_directory") == ("gs://b/o", {})


def test_a_model_is_uploaded_with_its_version() -> None:
    payload = {
        "display_name": "m",
        "description": "",
        "explanation_spec": {"parameters": {}, "metadata": {}},
        "version_aliases": ["new"],
        "labels": {},
    }
    upload = launch(
        "model.upload_model.launcher", payload,
        "--executor_input", executor_input("model", model=UNMANAGED), "--parent_model_name", f"{PARENT}/models/3@2",
    )  # fmt: skip
    operation = f"{PARENT}/models/3/operations/1"
    response = {"@type": "x", "model": f"{PARENT}/models/3", "model_version_id": "4"}
    services = Services({"name": operation}, {"name": operation, "done": True, "response": response})
    begun = launchers.start(upload, services)
    assert services.calls == [
        (
            "ModelService.UploadModel",
            {
                "parent": PARENT,
                "model": {
                    "display_name": "m",
                    "version_aliases": ["new"],
                    "container_spec": {"image_uri": "serve", "health_route": "/up"},
                    "artifact_uri": "gs://b/model",
                },
                "parent_model": f"{PARENT}/models/3",
            },
        )
    ]
    assert (begun.done, resources(begun)) == (False, ("VertexLro", PREFIX + operation))
    done = launchers.poll(upload, begun.state, services)
    name = f"{PARENT}/models/3@4"
    assert done.done
    assert told(done, "model") == (PREFIX + name, {"resourceName": name})


def test_an_endpoint_that_is_there_at_once() -> None:
    create = launch(
        "endpoint.create_endpoint.launcher",
        {"display_name": "e", "network": ""},
        "--executor_input",
        executor_input("endpoint"),
    )
    operation = {"name": f"{ENDPOINT}/operations/1", "done": True, "response": {"name": ENDPOINT}}
    services = Services(operation)
    done = launchers.start(create, services)
    assert services.calls == [("EndpointService.CreateEndpoint", {"parent": PARENT, "endpoint": {"display_name": "e"}})]
    assert done.done
    assert resources(done) == ("VertexLro", f"{PREFIX}{ENDPOINT}/operations/1")
    assert told(done, "endpoint") == (PREFIX + ENDPOINT, {"resourceName": ENDPOINT})


def test_deploying_takes_the_place_from_the_endpoint_s_name() -> None:
    payload = {
        "endpoint": ENDPOINT,
        "traffic_split": {"0": "100"},
        "deployed_model": {
            "model": f"{PARENT}/models/3@4",
            "dedicated_resources": {"min_replica_count": 1, "max_replica_count": 0},
        },
    }
    deploy = launch("endpoint.deploy_model.launcher", payload, "--project", "", "--location", "")
    assert (deploy.project, deploy.location) == ("1", "europe-west4")
    failed = {"name": "op", "done": True, "error": {"code": 9, "message": "unhealthy"}}
    services = Services({"name": "op"}, failed)
    begun = launchers.start(deploy, services)
    assert services.calls[0][1]["deployed_model"]["dedicated_resources"] == {"min_replica_count": 1}
    assert resources(begun) == ("VertexLro", f"{PREFIX}op")
    assert launchers.poll(deploy, begun.state, services).error == "Failed to create the resource. Error: 9 unhealthy"
    with pytest.raises(LauncherProblem, match="Invalid endpoint name"):
        launch("endpoint.deploy_model.launcher", {"endpoint": "e"})


def test_undeploying_finds_the_deployed_model() -> None:
    deployed = [
        {"id": "10", "model": f"{PARENT}/models/3", "model_version_id": "1"},
        {"id": "11", "model": f"{PARENT}/models/3", "model_version_id": "2"},
    ]
    for model, expected in ((f"{PARENT}/models/3@2", "11"), (f"{PARENT}/models/3", "10")):
        services = Services({"name": ENDPOINT, "deployed_models": deployed}, {"name": "op"})
        undeploy = launch(
            "endpoint.undeploy_model.launcher", {"endpoint": ENDPOINT, "model": model, "traffic_split": {}}
        )
        launchers.start(undeploy, services)
        assert services.calls[1] == (
            "EndpointService.UndeployModel",
            {"endpoint": ENDPOINT, "deployed_model_id": expected},
        )
    undeploy = launch("endpoint.undeploy_model.launcher", {"endpoint": ENDPOINT, "model": f"{PARENT}/models/9"})
    refused = launchers.start(undeploy, Services({"name": ENDPOINT}))
    assert refused.error == f"Model {PARENT}/models/9 not found at endpoint {ENDPOINT}."


def test_deleting_takes_the_whole_model() -> None:
    services = Services({"name": "op"}, {"name": "op"})
    launchers.start(launch("model.delete_model.launcher", {"model": f"{PARENT}/models/3@2"}), services)
    launchers.start(launch("endpoint.delete_endpoint.launcher", {"endpoint": ENDPOINT}), services)
    assert services.calls == [
        ("ModelService.DeleteModel", {"name": f"{PARENT}/models/3"}),
        ("EndpointService.DeleteEndpoint", {"name": ENDPOINT}),
    ]


def test_exporting_writes_where_the_artifacts_lie() -> None:
    payload = {"name": f"{PARENT}/models/3", "output_config": {"export_format_id": "custom-trained"}}
    export = launch("model.export_model.launcher", payload, "--output_info", "/gcs/b/info")
    metadata = {"output_info": {"artifact_output_uri": "gs://b/o"}}
    done = launchers.start(export, Services({"name": "op", "done": True, "response": {}, "metadata": metadata}))
    assert json.loads(done.files["/gcs/b/info"]) == {"artifactOutputUri": "gs://b/o"}


def test_getting_a_model_needs_no_waiting() -> None:
    args = [
        "--project",
        "1",
        "--location",
        "europe-west4",
        "--model_name",
        "churn",
        "--executor_input",
        executor_input("model"),
    ]
    found = launchers.recognise(IMAGE, ["python3", "-m", V1 + "model.get_model.launcher"], args)
    assert found is not None
    services = Services({"name": f"{PARENT}/models/3", "version_id": "2"})
    done = launchers.start(found, services)
    assert services.calls == [("ModelService.GetModel", {"name": f"{PARENT}/models/churn"})]
    assert (done.done, told(done, "model")[1]) == (True, {"resourceName": f"{PARENT}/models/3@2"})


def test_what_is_empty_is_left_out() -> None:
    given = {"a": "", "b": 0, "c": False, "d": [], "e": {"f": {"g": ""}}, "h": [0, "", {}, {"i": ""}, {"j": 1}], "k": 1}
    assert pruned(given) == {"h": [0, "", {"j": 1}], "k": 1}
    explained: dict[str, Any] = {
        "explanation_spec": {"parameters": {}, "metadata": {"inputs": {}, "outputs": {"y": {}}}}
    }
    assert pruned(explained) == {"explanation_spec": {"metadata": {"outputs": {"y": {}}}}}
    assert snake_case({"imageUri": [{"healthRoute": 1}]}) == {"image_uri": [{"health_route": 1}]}
