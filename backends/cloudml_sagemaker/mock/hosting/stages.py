"""A deployment as a pure state machine: stages computed from the policy, moved on by time and by what is observed.

Follows the developer guide's "Deployment guardrails" (all at once, canary, linear, rolling). A deployment is a plain
dict that lives in the endpoint's document, so that a mock which is killed goes on in the same stage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Deployment = dict[str, Any]
Stage = dict[str, Any]
Counts = Mapping[str, int]

TICK = 60.0
"""Seconds between two looks at the alarms while a fleet bakes: the shortest period of a standard CloudWatch alarm."""

ALL_AT_ONCE: dict[str, Any] = {
    "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
}
"""What AWS does when no policy is given (API reference, DeploymentConfig)."""


@dataclass(frozen=True)
class Observation:
    """What is known now: whether the new fleet is up, why it is not, and which alarm rings."""

    launched: bool = False
    failed: str = ""
    alarm: str = ""


def size(capacity: Mapping[str, Any], count: int) -> int:
    """Instances of a fleet of `count` that a CapacitySize stands for: whole ones, at least one."""
    value = int(capacity["Value"])
    if capacity["Type"] == "INSTANCE_COUNT":
        return min(value, count)
    return max(1, min(count, math.floor(count * value / 100)))


def waits(policy: Mapping[str, Any], counts: Counts) -> float:
    """Seconds that a deployment waits in all, which its time limit must exceed."""
    return float(sum(stage["Seconds"] for stage in plan(policy, counts, counts)))


def plan(policy: Mapping[str, Any], old: Counts, new: Counts) -> list[Stage]:
    """The stages of a deployment from fleets of `old` to fleets of `new` instances by variant."""
    if "RollingUpdatePolicy" in policy:
        return _rolling(policy["RollingUpdatePolicy"], old, new)
    return _blue_green(policy.get("BlueGreenUpdatePolicy") or ALL_AT_ONCE["BlueGreenUpdatePolicy"], old, new)


def begin(policy: Mapping[str, Any], old: Counts, new: Counts, now: float, **more: Any) -> Deployment:
    """A deployment that starts now; `more` is the caller's."""
    inner = policy.get("RollingUpdatePolicy") or policy.get("BlueGreenUpdatePolicy") or {}
    limit = inner.get("MaximumExecutionTimeoutInSeconds")
    alarms = (policy.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
    return {
        "Policy": dict(policy),
        "Stages": plan(policy, old, new),
        "At": 0,
        "Since": now,
        "Started": now,
        "Deadline": None if limit is None else now + limit,
        "Alarms": [alarm["AlarmName"] for alarm in alarms],
        "OldCounts": dict(old),
        "NewCounts": dict(new),
        "Back": "",
        "Paced": True,
        "Looked": None,
        **more,
    }


def current(deployment: Deployment) -> Stage | None:
    """The stage under way; None when all are done."""
    stages, at = deployment["Stages"], deployment["At"]
    return stages[at] if at < len(stages) else None


def due(deployment: Deployment) -> float | None:
    """When there is something to look at again, in seconds since the epoch; None when only the launch is awaited."""
    stage = current(deployment)
    if stage is None:
        return None
    times = [] if deployment["Deadline"] is None or deployment["Back"] else [deployment["Deadline"]]
    if stage["Phase"] == "bake":
        end = deployment["Since"] + stage["Seconds"]
        looked = deployment["Looked"]
        look = deployment["Since"] if looked is None else looked + TICK
        times.append(min(end, look) if watched(deployment) else end)
    return min(times) if times else None


def watched(deployment: Deployment) -> bool:
    """Whether alarms are looked at in this stage."""
    stage = current(deployment)
    return bool(deployment["Alarms"]) and not deployment["Back"] and stage is not None and stage["Phase"] == "bake"


def advance(deployment: Deployment, now: float, seen: Observation) -> str:
    """Move on as far as `now` and what is seen allow; returns "", "rollback" (just begun), "succeeded" or "failed"."""
    if not deployment["Back"]:
        reason = _trouble(deployment, now, seen)
        if reason:
            _turn_back(deployment, now, reason)
            return "rollback"
    deployment["Looked"] = now
    before = deployment["At"]
    while (stage := current(deployment)) is not None and _finished(deployment, stage, now, seen):
        deployment["Since"] += stage["Seconds"] if stage["Phase"] == "bake" else now - deployment["Since"]
        deployment["At"] += 1
    if deployment["At"] != before:
        deployment["Looked"] = None  # a new stage: its alarms are looked at as soon as it begins
    if current(deployment) is not None:
        return ""
    return "failed" if deployment["Back"] else "succeeded"


def stick(deployment: Deployment, reason: str) -> None:
    """The way back has failed too: traffic stays as it is, and nothing moves any more."""
    stage = _stage("stuck", share(deployment), deployment["NewCounts"], deployment["OldCounts"], "")
    deployment.update(Stages=[stage], At=0, Back=reason)


def share(deployment: Deployment) -> float:
    """The part of the traffic that goes to the new fleet, 0 to 1."""
    stage = current(deployment)
    return float(stage["Share"]) if stage is not None else (0.0 if deployment["Back"] else 1.0)


def _trouble(deployment: Deployment, now: float, seen: Observation) -> str:
    if seen.failed:
        return seen.failed
    if seen.alarm:
        return (
            f"The deployment was rolled back because the auto-rollback alarm {seen.alarm} went into ALARM state "
            "during the deployment."
        )
    if deployment["Deadline"] is not None and now >= deployment["Deadline"]:
        return "The deployment exceeded its MaximumExecutionTimeoutInSeconds and was rolled back."
    return ""


def _finished(deployment: Deployment, stage: Stage, now: float, seen: Observation) -> bool:
    if stage["Phase"] == "launch" and deployment["At"] == 0:
        return seen.launched
    if stage["Phase"] == "stuck":
        return False
    return stage["Phase"] != "bake" or bool(now >= deployment["Since"] + stage["Seconds"])


def _turn_back(deployment: Deployment, now: float, reason: str) -> None:
    reached = share(deployment)
    policy = deployment["Policy"].get("RollingUpdatePolicy")
    batch = (policy or {}).get("RollbackMaximumBatchSize")
    stages: list[Stage] = []
    if batch and reached > 0 and deployment["Paced"]:
        stages = _rolling_back(policy, deployment["NewCounts"], deployment["OldCounts"], reached)
    stages.append(_stage("terminate", 0.0, {}, deployment["OldCounts"], "Terminating the new fleet."))
    deployment.update(Back=reason, Stages=stages, At=0, Since=now)


def _stage(phase: str, part: float, new: Counts, old: Counts, message: str, seconds: float = 0.0) -> Stage:
    return {
        "Phase": phase,
        "Share": part,
        "New": dict(new),
        "Old": dict(old),
        "Seconds": seconds,
        "Message": message,
    }


def _blue_green(policy: Mapping[str, Any], old: Counts, new: Counts) -> list[Stage]:
    routing = policy["TrafficRoutingConfiguration"]
    total = sum(new.values())
    stages = [_stage("launch", 0.0, new, old, f"Launching {total} instance(s).")]
    wait = routing["WaitIntervalInSeconds"]
    for part, on in _steps(routing, new):
        kind = "canary capacity" if routing["Type"] == "CANARY" else "capacity"
        words = f"{kind} of {on} instance(s)"
        stages.append(_stage("activate", part, new, old, f"Activating traffic on {words}."))
        text = f"Baking for {wait} seconds (WaitIntervalInSeconds) with traffic enabled on {words}."
        stages.append(_stage("bake", part, new, old, text, wait))
    full = f"full capacity of {total} instance(s)"
    stages.append(_stage("activate", 1.0, new, old, f"Activating traffic on {full}."))
    last = policy.get("TerminationWaitInSeconds") or 0
    if last:
        text = f"Baking for {last} seconds (TerminationWaitInSeconds) with traffic enabled on {full}."
        stages.append(_stage("bake", 1.0, new, old, text, last))
    stages.append(_stage("terminate", 1.0, new, dict.fromkeys(old, 0), f"Terminating {sum(old.values())} instance(s)."))
    return stages


def _steps(routing: Mapping[str, Any], new: Counts) -> list[tuple[float, int]]:
    """Shares below 1 at which traffic stops for a while, each with the instances that have it."""
    if routing["Type"] == "ALL_AT_ONCE":
        return []
    capacity = routing["CanarySize"] if routing["Type"] == "CANARY" else routing["LinearStepSize"]
    smallest = min(new, key=lambda variant: new[variant])
    step = size(capacity, new[smallest]) / new[smallest]
    total = sum(new.values())
    if routing["Type"] == "CANARY":
        return [(step, max(1, round(step * total)))]
    count = math.ceil(round(1 / step, 9))
    return [(step * number, max(1, round(step * number * total))) for number in range(1, count)]


def _rolling(policy: Mapping[str, Any], old: Counts, new: Counts) -> list[Stage]:
    (variant, total), wait = next(iter(new.items())), policy["WaitIntervalInSeconds"]
    before = sum(old.values())
    batch = size(policy["MaximumBatchSize"], total)
    stages: list[Stage] = []
    for done in range(0, total, batch):
        on = min(done + batch, total)
        part, up = on / total, {variant: on}
        left = {variant: before - math.floor(before * done / total)}
        stages.append(_stage("launch", done / total, up, left, f"Launching {on - done} instance(s)."))
        stages.append(_stage("activate", part, up, left, f"Activating traffic on capacity of {on} instance(s)."))
        text = (
            f"Baking for {wait} seconds (WaitIntervalInSeconds) with traffic enabled on capacity of {on} instance(s)."
        )
        stages.append(_stage("bake", part, up, left, text, wait))
        after = {variant: before - math.floor(before * part)}
        gone = left[variant] - after[variant]
        stages.append(_stage("terminate", part, up, after, f"Terminating {gone} instance(s)."))
    return stages


def _rolling_back(policy: Mapping[str, Any], new: Counts, old: Counts, reached: float) -> list[Stage]:
    """Back in batches, each followed by the policy's wait; the guide gives the batches but not their pace."""
    (variant, total), wait = next(iter(new.items())), policy["WaitIntervalInSeconds"]
    on = round(reached * total)
    batch = size(policy["RollbackMaximumBatchSize"], total)
    stages: list[Stage] = []
    while on > batch:
        on -= batch
        text = f"Rolling back: traffic stays enabled on capacity of {on} instance(s) of the new fleet."
        stages.append(_stage("bake", on / total, {variant: on}, old, text, wait))
    return stages
