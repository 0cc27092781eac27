"""Step caching: the key of a step's arguments, and the most recent success under it in the same pipeline.

Developer guide, "Caching pipeline steps": the key leaves out instance types, outputs, roles and what lies in S3.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.definition.model import Step
from cloudml_sagemaker.mock.pipelines.definition.values import Unresolved
from cloudml_sagemaker.mock.pipelines.kinds import KINDS, properties
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt
from cloudml_sagemaker.mock.pipelines.room import Run

_COPIED = ("Metadata", "_job", "_name", "_outputs", "_check")
"""What a hit takes from the record of the step that really ran."""


def key(attempt: Attempt) -> str | None:
    """The cache's key of the step; None for a kind that is never cached. Raises StepFailed."""
    members = KINDS[attempt.step.type].cached
    if members is None:
        return None
    arguments = attempt.step.arguments
    picked = {member: _member(attempt.step, arguments, member) for member in members}
    text = json.dumps([attempt.step.type, attempt.resolve(picked)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{records.pipeline_of(attempt.run.arn)}/{attempt.record['StepName']}/{digest}"


def _member(step: Step, arguments: Document, member: str) -> Any:
    if member == "*":
        return arguments
    value: Any = {**step.raw, **arguments}
    for part in member.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def hit(attempt: Attempt, key: str) -> Document | None:
    """The record to take over: updates for the step's own record; None when there is no hit."""
    run, policy = attempt.run, attempt.step.cache
    if policy is None or not policy.enabled:
        return None
    entry = run.world.table(records.CACHE, run.scope).get(key)
    if entry is None or (policy.expire_after and entry["time"] + policy.expire_after.total_seconds() < run.world.now()):
        return None
    source = run.room.index.of(run.world.table(records.STEPS, run.scope), entry["execution"]).get(entry["step"])
    if source is None or source["StepStatus"] != "Succeeded" or not _there(run, source):
        return None
    return {
        **{name: source[name] for name in _COPIED if name in source},
        "CacheHitResult": {"SourcePipelineExecutionArn": entry["execution"]},
    }


def _there(run: Run, source: Document) -> bool:
    try:
        properties(run, source)
    except Unresolved:
        return False
    return True


def keep(run: Run, record: Document) -> None:
    """Remember a step that has succeeded by itself; its `_cache` holds the key."""
    if record.get("_cache") and "CacheHitResult" not in record:
        row = {"execution": run.arn, "step": record["StepName"], "time": run.world.now()}
        run.world.table(records.CACHE, run.scope).put(record["_cache"], row)
