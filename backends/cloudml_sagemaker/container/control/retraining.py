"""A monitor starts its pipeline again: once for a window, and not more often than the author allows.

What it did before is read from AWS's own list of executions, by the names that it gives them; so no memory of ours can
be lost. All runs of a pipeline are kept there (developer guide, "View a pipeline execution").
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudml_sagemaker.hosting import Aws

_STEM = 40
RUNNING = frozenset({"Executing", "Stopping"})


def prefix(monitor: str) -> str:
    """How the display names of its executions begin (letters, digits and `-`; 82 characters in all)."""
    mark = hashlib.sha256(monitor.encode()).hexdigest()[:8]
    return f"retrain-{re.sub(r'[^A-Za-z0-9-]', '-', monitor)[:_STEM]}-{mark}-"


def retrain(aws: Aws, pipeline: str, monitor: str, rules: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Start the pipeline, or say why not: `{"started": arn}` or `{"held": reason}`.

    `rules`: a `spec.Retrain` as a document; `at`: the end of the window, which names what is started.
    """
    name = f"{prefix(monitor)}{at:%Y%m%dT%H%M%SZ}"
    earlier = _earlier(aws, pipeline, monitor, at, rules)
    same = next((one for one in earlier if one["PipelineExecutionDisplayName"] == name), None)
    if same is not None:
        return {"started": same["PipelineExecutionArn"]}
    reason = held(earlier, rules, at)
    if reason:
        return {"held": reason}
    why = f"started by monitor {monitor}, whose limits were broken before {at:%Y-%m-%d %H:%M} UTC"
    token = hashlib.sha256(f"{pipeline}/{name}".encode()).hexdigest()
    started = aws.call(
        "sagemaker", "StartPipelineExecution", PipelineName=pipeline, PipelineExecutionDisplayName=name,
        PipelineExecutionDescription=why, ClientRequestToken=token,
    )  # fmt: skip
    return {"started": started["PipelineExecutionArn"]}


def held(earlier: list[dict[str, Any]], rules: Mapping[str, Any], at: datetime) -> str:
    """Why not to start; empty when nothing speaks against it. `earlier`: its executions, newest first."""
    if not earlier:
        return ""
    last = earlier[0]
    if last["PipelineExecutionStatus"] in RUNNING:
        return f"the run that it started at {_time(last):%Y-%m-%d %H:%M} UTC goes on"
    ready = _time(last) + timedelta(seconds=rules["cooldown"])
    if at < ready:
        return f"it started one at {_time(last):%Y-%m-%d %H:%M} UTC, and waits until {ready:%Y-%m-%d %H:%M} UTC"
    if rules.get("limit") is None:
        return ""
    since = None if rules.get("period") is None else at - timedelta(seconds=rules["period"])
    count = sum(1 for one in earlier if since is None or _time(one) > since)
    if count < rules["limit"]:
        return ""
    span = "in all" if since is None else f"since {since:%Y-%m-%d %H:%M} UTC"
    return f"it has started {count} {span}, and {rules['limit']} are allowed"


def _time(execution: Mapping[str, Any]) -> datetime:
    found: datetime = execution["StartTime"]
    return found.astimezone(UTC)


def _earlier(aws: Aws, pipeline: str, monitor: str, at: datetime, rules: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The monitor's own executions, newest first, as far back as a rule asks."""
    own = prefix(monitor)
    spans = [rules["cooldown"], rules.get("period") or 0.0]
    everything = rules.get("limit") is not None and rules.get("period") is None
    horizon = None if everything else at - timedelta(seconds=max(spans)) - timedelta(days=1)
    found = []
    for one in _pages(aws, pipeline):
        if horizon is not None and _time(one) < horizon:
            break
        if str(one.get("PipelineExecutionDisplayName", "")).startswith(own):
            found.append(one)
    return found


def _pages(aws: Aws, pipeline: str) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {"PipelineName": pipeline, "SortBy": "CreationTime", "SortOrder": "Descending"}
    while True:
        page = aws.call("sagemaker", "ListPipelineExecutions", **request)
        yield from page["PipelineExecutionSummaries"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]
