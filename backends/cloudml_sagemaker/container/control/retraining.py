"""A monitor starts its pipeline again, by SageMaker's list of executions.

All runs of a pipeline are kept there (developer guide, "View a pipeline execution").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudml.jobs.control.retraining import Started, held, horizon, prefix, run_name, same, why
from cloudml_sagemaker.hosting import Aws

RUNNING = frozenset({"Executing", "Stopping"})


def retrain(aws: Aws, pipeline: str, monitor: str, rules: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Start the pipeline, or say why not: `{"started": arn}` or `{"held": reason}`.

    `rules`: a `spec.Retrain` as a document; `at`: the end of the window, which names what is started.
    """
    name = run_name(monitor, at)
    earlier = _earlier(aws, pipeline, monitor, horizon(rules, at))
    if (known := same(earlier, name)) is not None:
        return {"started": known.id}
    if reason := held(earlier, rules, at):
        return {"held": reason}
    token = hashlib.sha256(f"{pipeline}/{name}".encode()).hexdigest()
    started = aws.call(
        "sagemaker", "StartPipelineExecution", PipelineName=pipeline, PipelineExecutionDisplayName=name,
        PipelineExecutionDescription=why(monitor, at), ClientRequestToken=token,
    )  # fmt: skip
    return {"started": started["PipelineExecutionArn"]}


def _earlier(aws: Aws, pipeline: str, monitor: str, since: datetime | None) -> list[Started]:
    """The monitor's own executions, newest first."""
    own = prefix(monitor)
    found = []
    for one in _pages(aws, pipeline):
        begun = one["StartTime"].astimezone(UTC)
        if since is not None and begun < since:
            break
        name = str(one.get("PipelineExecutionDisplayName", ""))
        if name.startswith(own):
            runs = one["PipelineExecutionStatus"] in RUNNING
            found.append(Started(name, begun, runs, str(one["PipelineExecutionArn"])))
    return found


def _pages(aws: Aws, pipeline: str) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {"PipelineName": pipeline, "SortBy": "CreationTime", "SortOrder": "Descending"}
    while True:
        page = aws.call("sagemaker", "ListPipelineExecutions", **request)
        yield from page["PipelineExecutionSummaries"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]
