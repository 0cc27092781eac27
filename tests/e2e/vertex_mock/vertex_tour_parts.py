"""What every tour sends: documents of Vertex AI's API as plain JSON (names in snake case), and what comes of them.

Needs nothing but the standard library: the tours of Google's SDK run in environments of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.testing.mocks import MockInUse

PROGRAMS = Path(__file__).parents[2] / "kfp_sdk" / "programs"
Json = dict[str, Any]

PROJECT = "mock-project"
LOCATION = "us-central1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
BUCKET = "tour-data"
ROOT = f"gs://{BUCKET}/root"
SERVER = "us-docker.pkg.dev/team/tools/server:1"
TRIAL = "us-docker.pkg.dev/team/tools/trial:1"
SHELL = "debian:12"
YEARLY = "TZ=Europe/Berlin 0 3 1 1 *"
FACTORS = {"1": 2.0, "2": 3.0}
"""By what the server of each version multiplies."""
ROUTES = {"predict": "/predict", "health": "/health"}


def rules() -> tuple[str, ...]:
    """What stands for the images: programs beside the pipelines of kfp, which say what they do."""
    programs = {SERVER: "server.py", TRIAL: "trial.py"}
    return tuple(f"{image}={sys.executable} -S {PROGRAMS / program}" for image, program in programs.items())


def factor_object(version: str) -> str:
    """The object that is a version's model."""
    return f"models/{version}/factor"


def artifacts(version: str) -> str:
    """Where a version's model lies."""
    return f"gs://{BUCKET}/models/{version}"


def pool(image: str, command: list[str] | None = None) -> Json:
    """A worker pool of one machine."""
    container: Json = {"image_uri": image, **({"command": command} if command else {})}
    return {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": container}


def shell(text: str) -> list[str]:
    """A command of a shell."""
    return ["sh", "-c", text]


METRICS = [{"metric_id": "score", "goal": "MAXIMIZE"}]
PARAMETERS = [
    {"parameter_id": "rate", "double_value_spec": {"min_value": 0.1, "max_value": 0.9}},
    {"parameter_id": "depth", "integer_value_spec": {"min_value": 1, "max_value": 5}},
]


def score(rate: float, depth: float) -> float:
    """What the trial's program measures (its docstring says so)."""
    return 1.0 - (rate - 0.5) ** 2 - depth / 100.0


def _container(command: str, *words: str) -> Json:
    return {"container": {"image": SHELL, "command": ["sh", "-c", command, "sh"], "args": list(words)}}


def pipeline(seconds: float = 0) -> Json:
    """Measure a value; when it is above 0.5, say so; a side task of `seconds`. The measurement may be cached."""
    value = {"inputDefinitions": {"parameters": {"value": {"parameterType": "NUMBER_DOUBLE"}}}}
    number = {"parameters": {"value": {"parameterType": "NUMBER_DOUBLE"}}}
    passed = {
        "parameters": {"value": {"taskOutputParameter": {"producerTask": "measure", "outputParameterKey": "value"}}}
    }
    measure = {
        "componentRef": {"name": "comp-measure"},
        "taskInfo": {"name": "measure"},
        "inputs": {"parameters": {"value": {"componentInputParameter": "value"}}},
        "cachingOptions": {"enableCache": True},
    }
    gate = {
        "componentRef": {"name": "comp-gate"},
        "taskInfo": {"name": "gate"},
        "dependentTasks": ["measure"],
        "inputs": passed,
        "triggerPolicy": {"condition": "inputs.parameter_values['value'] > 0.5"},
    }
    rest = {"componentRef": {"name": "comp-rest"}, "taskInfo": {"name": "rest"}}
    say = {"componentRef": {"name": "comp-say"}, "taskInfo": {"name": "say"}}
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "pipelineInfo": {"name": "tour"},
        "root": {**value, "dag": {"tasks": {"measure": measure, "gate": gate, "rest": rest}}},
        "components": {
            "comp-measure": {**value, "outputDefinitions": number, "executorLabel": "exec-measure"},
            "comp-gate": {**value, "dag": {"tasks": {"say": say}}},
            "comp-rest": {"executorLabel": "exec-rest"},
            "comp-say": {"executorLabel": "exec-say"},
        },
        "deploymentSpec": {
            "executors": {
                "exec-measure": _container(
                    'mkdir -p "$(dirname "$2")"; printf "%s" "$1" > "$2"; echo "measured $1"',
                    "{{$.inputs.parameters['value']}}",
                    "{{$.outputs.parameters['value'].output_file}}",
                ),
                "exec-rest": _container('sleep "$1"', str(seconds)),
                "exec-say": _container("echo above"),
            }
        },
    }


def pipeline_job(value: float, seconds: float = 0) -> Json:
    """A PipelineJob of it."""
    runtime = {"gcs_output_directory": ROOT, "parameter_values": {"value": value}}
    spec = {"pipeline_spec": pipeline(seconds), "runtime_config": runtime}
    return {"display_name": "tour", "labels": {"team": "tour"}, **spec}


def custom_job(text: str) -> Json:
    """A CustomJob of a shell."""
    return {"display_name": text, "job_spec": {"worker_pool_specs": [pool(SHELL, shell(text))]}}


def search() -> Json:
    """A HyperparameterTuningJob of three trials."""
    trial = {"worker_pool_specs": [pool(TRIAL)], "base_output_directory": {"output_uri_prefix": f"{ROOT}/search"}}
    return {
        "display_name": "search",
        "study_spec": {"metrics": METRICS, "parameters": PARAMETERS},
        "max_trial_count": 3,
        "parallel_trial_count": 2,
        "trial_job_spec": trial,
    }


def model(version: str) -> Json:
    """A Model."""
    container = {"image_uri": SERVER, "predict_route": ROUTES["predict"], "health_route": ROUTES["health"]}
    return {
        "display_name": "multiplier",
        "artifact_uri": artifacts(version),
        "container_spec": {**container, "ports": [{"container_port": 8080}]},
    }


def deployed(model_name: str, identifier: str) -> Json:
    """A DeployedModel on one machine."""
    machine = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1, "max_replica_count": 1}
    return {"id": identifier, "model": model_name, "dedicated_resources": machine}


def fill(mock: MockInUse) -> None:
    """Empty the mock, and put the models of the servers into a bucket: a file in it is an object."""
    mock.reset()
    for version, factor in FACTORS.items():
        path = mock.running.world.gcs / BUCKET / factor_object(version)  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(factor))


def expected_tasks(value: float, cached: bool = False) -> dict[str, str]:
    """How the pipeline's tasks end (docs of PipelineTaskDetail.State: SKIPPED is a cache hit)."""
    above = value > 0.5
    return {
        "measure": "SKIPPED" if cached else "SUCCEEDED",
        "gate": "SUCCEEDED" if above else "NOT_TRIGGERED",
        "rest": "SUCCEEDED",
        **({"say": "SUCCEEDED"} if above else {}),
    }
