"""Launchers that start a job and wait for its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.launchers import payloads
from cloudml_vertex.mock.pipelines.launchers.command import Launch
from cloudml_vertex.mock.pipelines.launchers.progress import Call, Document, Failed, gcp_resources, output_artifacts

_USER_ERRORS = frozenset({3, 5, 6, 7, 9, 11, 12})
"""Codes of google.rpc that launchers hold for the user's own."""

_FAILED = frozenset({"JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_PAUSED", "JOB_STATE_EXPIRED"})
"""JOB_STATE_EXPIRED is ours: the launcher itself would wait for ever."""


@dataclass(frozen=True)
class Job:
    """How a kind of job is created, looked at, cancelled, and what is written when it has succeeded."""

    type: str
    request: Callable[[Launch, Mapping[str, str]], Document]
    outputs: Callable[[Launch, Document], Mapping[str, str]]

    @property
    def create(self) -> str:
        return f"JobService.Create{self.type}"

    def begin(
        self, launch: Launch, call: Call, stored: str | None, labels: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """The name of the job, created or found in what an earlier attempt wrote; and what to write."""
        if stored and stored.strip():
            return _stored_name(launch, stored), {}
        name = str(call(self.create, self.request(launch, labels))["name"])
        return name, gcp_resources(launch, launch.kind, name)

    def look(self, launch: Launch, name: str, call: Call) -> Mapping[str, str] | None:
        """What to write when the job has succeeded; None while it runs. Raises Failed."""
        found = call(f"JobService.Get{self.type}", {"name": name})
        state = found.get("state", "JOB_STATE_UNSPECIFIED")
        if state in _FAILED:
            error = found.get("error", {})
            what = "value error in error state" if error.get("code") in _USER_ERRORS else "error state"
            told = f" {error['message']}" if error.get("message") else ""
            raise Failed(f"Job failed with {what}: {state}.{told}")
        return self.outputs(launch, found) if state == "JOB_STATE_SUCCEEDED" else None

    def cancel(self, name: str, call: Call) -> None:
        """Ask for the end of the job."""
        call(f"JobService.Cancel{self.type}", {"name": name})


def _stored_name(launch: Launch, stored: str) -> str:
    """The job that an earlier attempt of the launcher has started. Raises Failed."""
    try:
        resources = json.loads(stored)["resources"]
        uris = [str(resource["resourceUri"]) for resource in resources]
    except (ValueError, KeyError, TypeError):
        raise Failed("gcp_resources is no GcpResources") from None
    if len(uris) != 1:
        raise Failed(f"gcp_resources should contain one resource, found {len(uris)}")
    match = re.fullmatch(re.escape(launch.prefix) + "(.+)", uris[0])
    if match is None:
        raise Failed("Job Name in gcp_resource is not formatted correctly or is empty.")
    return match[1]


def _nothing(_: Launch, __: Document) -> Mapping[str, str]:
    return {}


def _trial_counts(launch: Launch, job: Document) -> Mapping[str, str]:
    path = launch.options.get("execution_metrics")
    if launch.kind != "HyperparameterTuningJobWithMetrics" or not path:
        return {}
    trials = job.get("trials", [])
    done = sum(trial.get("state") == "SUCCEEDED" for trial in trials)
    return {path: json.dumps({"success_trials_count": done, "total_trials_count": len(trials)}, sort_keys=True)}


def _predictions(launch: Launch, job: Document) -> Mapping[str, str]:
    """The artifacts of a batch prediction: the job, and the directory or the table of its results."""
    info = job.get("output_info", {})
    folder, dataset = info.get("gcs_output_directory", ""), info.get("bigquery_output_dataset", "")
    table = info.get("bigquery_output_table", "")
    metadata: Document = {
        "resourceName": job["name"],
        "bigqueryOutputTable": table,
        "bigqueryOutputDataset": dataset,
        "gcsOutputDirectory": folder,
    }
    found: dict[str, tuple[str, Any]] = {"batchpredictionjob": (launch.prefix + job["name"], metadata)}
    if dataset:
        parts = payloads.bigquery_dataset(dataset)
        if parts is None:
            raise Failed(
                f"Invalid BQ dataset address from batch prediction output: {dataset}."
                " Expect: bq://[project_id].[dataset_id]."
            )
        path = f"projects/{parts[0]}/datasets/{parts[1]}/tables/{table}"
        names = {"projectId": parts[0], "datasetId": parts[1], "tableId": table}
        found["bigquery_output_table"] = (f"https://www.googleapis.com/bigquery/v2/{path}", names)
    if folder:
        found["gcs_output_directory"] = (folder, {})
    return output_artifacts(launch, found)


_TUNING = Job("HyperparameterTuningJob", payloads.tuning_job, _trial_counts)
JOBS: dict[str, Job] = {
    "CustomJob": Job("CustomJob", payloads.custom_job, _nothing),
    "HyperparameterTuningJob": _TUNING,
    "HyperparameterTuningJobWithMetrics": _TUNING,
    "BatchPredictionJob": Job("BatchPredictionJob", payloads.batch_prediction_job, _predictions),
}
"""By --type of the launcher."""
