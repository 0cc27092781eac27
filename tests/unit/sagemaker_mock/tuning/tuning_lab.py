"""A trainer whose program stands in its hyperparameters, requests for tuning jobs, and waiting for their ends."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mock_clients import ROLE

HYPERPARAMETERS = "/opt/ml/input/config/hyperparameters.json"
TRAINER = f"import json; h = json.load(open('{HYPERPARAMETERS}')); exec(json.loads(h['program']))"
RULE = f"trainer*={shlex.join((sys.executable, '-I', '-S', '-c', TRAINER))}"
SCORE = "print(f'auc={1 - (float(h[\"x\"]) - 0.3) ** 2};')"
LINEAR = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
ENDED = {"Completed", "Failed", "Stopped"}


def definition(program: str = SCORE, **changes: Any) -> dict[str, Any]:
    """A training job definition; `program` runs with the hyperparameters as `h`."""
    static = {"program": json.dumps(program), **changes.pop("static", {})}
    return {
        "StaticHyperParameters": static,
        "AlgorithmSpecification": {
            "TrainingImage": "trainer:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "auc", "Regex": "auc=([0-9.naif-]+);"}],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://out/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **changes,
    }


def config(strategy: str = "Random", most: int | None = 3, parallel: int = 2, **changes: Any) -> dict[str, Any]:
    """A tuning job's configuration: one hyperparameter, x in 0..1, unless told otherwise."""
    limits: dict[str, Any] = {"MaxParallelTrainingJobs": parallel}
    if most is not None:
        limits["MaxNumberOfTrainingJobs"] = most
    return {
        "Strategy": strategy,
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
        "ResourceLimits": limits,
        "ParameterRanges": LINEAR,
        "RandomSeed": 7,
        **changes,
    }


@dataclass
class Tuning:
    """The tuning calls of a client, shortened."""

    client: Any

    def create(
        self, name: str, told: dict[str, Any] | None = None, how: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """`how`: the training job definition; None with TrainingJobDefinitions in `more`."""
        if "TrainingJobDefinitions" not in more:
            more["TrainingJobDefinition"] = how or definition()
        self.client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, HyperParameterTuningJobConfig=told or config(), **more
        )

    def seen(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return found

    def wait(self, name: str, *, seconds: float = 60, until: Callable[[dict[str, Any]], bool] | None = None) -> Any:
        """The description once the job has ended, or `until` holds of it."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            job = self.seen(name)
            if until(job) if until else job["HyperParameterTuningJobStatus"] in ENDED:
                return job
            time.sleep(0.05)
        raise AssertionError(f"still {json.dumps(self.seen(name), default=str)[:2000]}")

    def trials(self, name: str, **more: Any) -> list[dict[str, Any]]:
        answer = self.client.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, MaxResults=100, **more
        )
        found: list[dict[str, Any]] = answer["TrainingJobSummaries"]
        return found
