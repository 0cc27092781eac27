"""Evaluation of alert policies every minute of the clock: incidents open and close, channels hear of both.

A condition is met by a time series that violated it at every evaluation for the condition's duration. The notice is
Cloud Monitoring's JSON of schema version 1.2 (docs: "Creating and managing notification channels", Pub/Sub).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.around import measuring
from cloudml_vertex.mock.around.channels import POLICIES
from cloudml_vertex.mock.around.measuring import Reading
from cloudml_vertex.mock.around.timeseries import LAG
from cloudml_vertex.mock.core import notices
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World

log = logging.getLogger(__name__)

INCIDENTS = "Incident"
MOST_INCIDENTS = 1_000
SOONEST_CLOSE, LATEST_CLOSE = 1800.0, 7 * 86400.0
"""Bounds of auto_close, in seconds; the second is what holds unless a policy says otherwise."""
SHORTEST_ABSENCE, LONGEST_ABSENCE = 120.0, 23.5 * 3600
_EVERY = 60.0
_ROOM = "alerting"
_LAG = {"documented": LAG}

State = dict[str, dict[str, Any]]
"""What one condition knows of each series: its last `reading`, whether the condition is `met` by it, and `since` when
it violates the threshold."""


def resume(world: World) -> None:
    """Evaluate on every full minute from now on, as long as there are policies that are enabled. Any thread."""
    with world.lock:
        if world.rooms.get(_ROOM) or not any(_enabled(row) for table in world.store.tables(POLICIES) for row in table):
            return
        world.rooms[_ROOM] = True
        _next(world)


def _enabled(policy: Document) -> bool:
    return policy.get("enabled") is not False


def _next(world: World) -> None:
    due = (math.floor(world.now() / _EVERY) + 1) * _EVERY
    world.clock.call_at(datetime.fromtimestamp(due, UTC), lambda: _tick(world, due), "alert policies")


def _tick(world: World, now: float) -> None:
    with world.lock:
        policies = [(table, row) for table in world.store.tables(POLICIES) for row in table if _enabled(row)]
        if not policies:
            world.rooms[_ROOM] = False
            return
        _next(world)
        for table, policy in policies:
            try:
                evaluate(world, table.scope, policy, now)
            except GoogleError as error:
                log.warning("the policy %s cannot be evaluated: %s", policy["name"], error)


def evaluate(world: World, scope: Scope, policy: Document, now: float) -> None:
    """Look at the policy at the time `now`, in seconds since the epoch. Needs the world's lock."""
    before = policy.get("_state", {})
    state: dict[str, State] = {}
    closing = duration(policy.get("alert_strategy", {}).get("auto_close", f"{LATEST_CLOSE:g}s"))
    moment = _Moment(world, scope.account, now, now - _LAG.get(world.switches["metric-lag"], 0.0), closing)
    met: list[tuple[Document, list[Reading]]] = []
    for condition in policy["conditions"]:
        name = condition["name"]
        kind = "condition_threshold" if "condition_threshold" in condition else "condition_absent"
        state[name] = _CONDITIONS[kind](moment, condition[kind], before.get(name, {}))
        met.append((condition, _triggered(condition[kind], state[name])))
    if state != before:
        policy["_state"] = state
        world.table(POLICIES, scope).put(notices.channel_key(world, policy["name"]), policy)
    _settle(world, scope, policy, _combined(policy, met), now)


@dataclass(frozen=True)
class _Moment:
    """When a condition is evaluated; times in seconds since the epoch. `end`: the newest data that can be seen then."""

    world: World
    account: str
    now: float
    end: float
    auto_close: float


def _threshold(moment: _Moment, body: Document, kept: State) -> State:
    """Series that violate the threshold, since when, and whether for the condition's duration.

    Where data stopped, EVALUATION_MISSING_DATA_ACTIVE goes on counting, _INACTIVE takes the violation back, and NO_OP,
    the default, leaves things as they were, until the incident closes by itself.
    """
    after: State = {}
    lasting = duration(body.get("duration", "0s"))
    found = {one.key: one for one in measuring.readings(moment.world, moment.account, body, moment.end)}
    for key, one in found.items():
        if measuring.violates(body, one.value):
            since = kept.get(key, {}).get("since", moment.now)
            after[key] = {"since": since, "reading": vars(one), "met": moment.now - since >= lasting}
    missing = str(body.get("evaluation_missing_data", ""))
    if missing == "EVALUATION_MISSING_DATA_INACTIVE":
        return after
    for key, row in kept.items():
        if key in found or moment.now - row["reading"]["at"] >= moment.auto_close:
            continue
        active = missing == "EVALUATION_MISSING_DATA_ACTIVE" and moment.now - row["since"] >= lasting
        after[key] = {**row, "met": row["met"] or active}
    return after


def _absent(moment: _Moment, body: Document, kept: State) -> State:
    """Series that were seen once, when last, and whether they had no data for the condition's duration since."""
    lasting = duration(body["duration"])
    after = {key: row for key, row in kept.items() if moment.end - row["reading"]["at"] < lasting + moment.auto_close}
    for one in measuring.last_points(moment.world, moment.account, body, moment.end - lasting, moment.end):
        after[one.key] = {"reading": vars(one)}
    return {key: {**row, "met": moment.end - row["reading"]["at"] >= lasting} for key, row in after.items()}


_CONDITIONS = {"condition_threshold": _threshold, "condition_absent": _absent}


def _triggered(body: Document, state: State) -> list[Reading]:
    """The series that meet the condition when there are enough of them (Trigger: a count, by default 1, or a share)."""
    found = [Reading(**row["reading"]) for row in state.values() if row["met"]]
    trigger = body.get("trigger", {})
    least = trigger["percent"] / 100 * len(state) if "percent" in trigger else trigger.get("count", 1)
    return found if found and len(found) >= least else []


def _combined(policy: Document, met: list[tuple[Document, list[Reading]]]) -> dict[str, tuple[Document, Reading]]:
    """The incidents that there should be, by what tells one from the other."""
    combiner = policy.get("combiner", "OR")
    if combiner == "AND_WITH_MATCHING_RESOURCE":
        shared = set.intersection(*({one.resource for one in found} for _, found in met))
        condition, found = met[0]
        return {one.resource: (condition, one) for one in found if one.resource in shared}
    if combiner == "AND":
        return {"all": (met[0][0], met[0][1][0])} if all(found for _, found in met) else {}
    return {f"{condition['name']} {one.key}": (condition, one) for condition, found in met for one in found}


def _open(world: World, scope: Scope, policy: Document) -> dict[str, Document]:
    rows = world.table(INCIDENTS, scope)
    return {row["key"]: row for row in rows if row["policy"] == policy["name"] and row["state"] == "open"}


def _settle(
    world: World, scope: Scope, policy: Document, wanted: dict[str, tuple[Document, Reading]], now: float
) -> None:
    """Open what is new, close what is over."""
    held = _open(world, scope, policy)
    for key, (condition, one) in wanted.items():
        if key in held:
            held[key]["observed"] = one.value
        else:
            _begin(world, scope, policy, condition, key, one, now)
    for key, row in held.items():
        if key not in wanted:
            _end(world, scope, policy, row, now)


def _begin(
    world: World, scope: Scope, policy: Document, condition: Document, key: str, one: Reading, now: float
) -> None:
    table = world.table(INCIDENTS, scope)
    row = {
        "id": f"0.{world.unique('incident')}",
        "policy": policy["name"],
        "key": key,
        "condition": condition,
        "reading": vars(one),
        "observed": one.value,
        "state": "open",
        "started_at": now,
    }
    table.put(row["id"], row)
    for old, held in table.items()[: max(0, len(table) - MOST_INCIDENTS)]:
        if held["state"] == "closed":
            table.delete(old)
    notices.notify(world, scope, policy.get("notification_channels", []), message(world, scope, policy, row))


def _end(world: World, scope: Scope, policy: Document, row: Document, now: float) -> None:
    row.update(state="closed", ended_at=now)
    world.table(INCIDENTS, scope).put(row["id"], row)
    notices.notify(world, scope, policy.get("notification_channels", []), message(world, scope, policy, row))


def end(world: World, scope: Scope, policy: Document) -> None:
    """Close all incidents of the policy and forget what its conditions saw. Needs the world's lock."""
    for row in _open(world, scope, policy).values():
        _end(world, scope, policy, row, world.now())
    policy.pop("_state", None)


def message(world: World, scope: Scope, policy: Document, row: Document) -> Document:
    """The notice of an incident as it stands."""
    reading, condition = row["reading"], row["condition"]
    kind = "condition_threshold" if "condition_threshold" in condition else "condition_absent"
    threshold = condition[kind].get("threshold_value", 0.0)
    project = world.project_id(scope.account)
    verb = "is violated" if row["state"] == "open" else "returned to normal"
    incident: Document = {
        "incident_id": row["id"],
        "scoping_project_id": project,
        "scoping_project_number": int(scope.account),
        "url": f"https://console.cloud.google.com/monitoring/alerting/incidents/{row['id']}?project={project}",
        "severity": policy.get("severity", "No severity"),
        "started_at": int(row["started_at"]),
        "ended_at": int(row["ended_at"]) if "ended_at" in row else None,
        "state": row["state"],
        "summary": f"{reading['metric_type']} of {reading['resource_type']}: {condition['display_name']} {verb}, "
        f"observed value {row['observed']:g}, threshold {threshold:g}.",
        "observed_value": f"{row['observed']:g}",
        "threshold_value": f"{threshold:g}",
        "resource": {"type": reading["resource_type"], "labels": reading["resource_labels"]},
        "metric": {"type": reading["metric_type"], "labels": reading["metric_labels"]},
        "policy_name": policy["display_name"],
        "policy_user_labels": policy.get("user_labels", {}),
        "condition_name": condition["display_name"],
        "condition": {key: value for key, value in condition.items() if not key.startswith("_")},
    }
    if "documentation" in policy:
        incident["documentation"] = policy["documentation"]
    return {"incident": incident, "version": "1.2", "subject": f"[ALERT] {policy['display_name']}"}
