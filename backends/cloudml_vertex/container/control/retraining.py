"""A monitor starts its pipeline again, by Vertex AI's list of pipeline jobs.

The job is created from the pipeline's document in the bucket, the same that every other run is created from. Its id is
of the monitor and the window, so that a second attempt at the same window finds it (ALREADY_EXISTS).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cloudml.jobs.control.retraining import Started, held, horizon, run_name, same, why
from cloudml.jobs.control.traffic import parse_time
from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Store
from cloudml_vertex.container.http import GoogleError
from cloudml_vertex.hosting.port import Google

RUNNING = frozenset({
    "PIPELINE_STATE_QUEUED", "PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING", "PIPELINE_STATE_CANCELLING",
    "PIPELINE_STATE_PAUSED",
})  # fmt: skip
LABEL = "cloudml-retrained-by"
"""Of a pipeline job: eight hex digits that tell pipeline and monitor."""
LONGEST_ID = 128
"""Characters of a pipeline job's id: `[a-z][-a-z0-9]{0,127}` (PipelineService.CreatePipelineJob)."""

Document = dict[str, Any]


def retrain(
    google: Google, store: Store, action: Mapping[str, Any], rules: Mapping[str, Any], at: datetime
) -> Document:
    """Start the pipeline, or say why not: `{"started": name of the pipeline job}` or `{"held": reason}`.

    `action`: `monitor`; `pipeline`, its name in the project; `template`, the gs:// address of its document; `parent`,
    the project's location. `rules`: a `spec.Retrain` as a document; `at`: the end of the window, which names what is
    started. Raises Refused: the pipeline's document is gone.
    """
    monitor, pipeline, parent = action["monitor"], action["pipeline"], action["parent"]
    identifier = job_id(pipeline, run_name(monitor, at))
    earlier = _earlier(google, parent, mark(pipeline, monitor), horizon(rules, at))
    if (known := same(earlier, identifier)) is not None:
        return {"started": known.id}
    if reason := held(earlier, rules, at):
        return {"held": reason}
    job = _document(store, action["template"])
    job["labels"] = {**job.get("labels", {}), LABEL: mark(pipeline, monitor)}
    job["displayName"] = f"{pipeline}: {why(monitor, at)}"[:LONGEST_ID]
    try:
        made = google.call("PipelineService.CreatePipelineJob", parent=parent, pipeline_job=job,
                           pipeline_job_id=identifier)  # fmt: skip
    except GoogleError as error:
        if error.code != "ALREADY_EXISTS":
            raise
        return {"started": f"{parent}/pipelineJobs/{identifier}"}
    return {"started": made["name"]}


def mark(pipeline: str, monitor: str) -> str:
    """The value of LABEL."""
    return hashlib.sha256(f"{pipeline}\0{monitor}".encode()).hexdigest()[:8]


def job_id(pipeline: str, run: str) -> str:
    """The id of a pipeline job for a run of a pipeline: told apart from those of other pipelines."""
    tail = run.lower()
    room = LONGEST_ID - len(tail) - 1
    if len(pipeline) <= room:
        return f"{pipeline}-{tail}"
    digest = hashlib.sha256(pipeline.encode()).hexdigest()[:8]
    return f"{pipeline[: room - 9].rstrip('-')}-{digest}-{tail}"


def _document(store: Store, template: str) -> Document:
    """The PipelineJob to create. Raises Refused."""
    try:
        job: Document = json.loads(store.get(template))
    except FileNotFoundError:
        raise Refused(f"there is no {template}: deploy the pipeline again") from None
    return job


def _earlier(google: Google, parent: str, value: str, since: datetime | None) -> list[Started]:
    """The monitor's own pipeline jobs, newest first."""
    found = []
    asked = {"filter": f'labels.{LABEL}="{value}"', "order_by": "create_time desc"}
    for one in google.pages("PipelineService.ListPipelineJobs", "pipeline_jobs", parent=parent, **asked):
        begun = parse_time(one["create_time"]).astimezone(UTC)
        if since is not None and begun < since:
            break
        name = str(one["name"])
        found.append(Started(name.rpartition("/")[2], begun, one.get("state") in RUNNING, name))
    return found
