"""Endpoints on their way: what creates, updates, rolls back and deletes them, driven by the clock and by real work.

All that is decided stands in the endpoint's document; threads and timers only carry it on. They name the deployment
that they belong to, so a late one is of no effect.
"""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope, Table
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import alarms, fleets, stages, views, wording
from cloudml_sagemaker.mock.hosting.fleets import FleetFailed, Hosting
from cloudml_sagemaker.mock.hosting.stages import Observation

log = logging.getLogger(__name__)

KIND = "Endpoint"

_LAUNCH_FAULTS = ("unhealthy", "endpoint-capacity")


def hosting(world: World) -> Hosting:
    """The room."""
    room: Hosting = world.rooms["hosting"]
    return room


def status(world: World, table: Table, name: str, after: str, reason: str | None = None) -> Document:
    """Change EndpointStatus and bring up to date what is shown; `reason` "" clears FailureReason. Needs the lock."""
    document = table[name]
    if reason:
        document["FailureReason"] = reason[:1024]
    elif reason is not None:
        document.pop("FailureReason", None)
    document["EndpointStatus"], before = after, document.get("EndpointStatus", "")
    views.refresh(document, world.now())
    document["EndpointStatus"] = before
    return world.change(table, name, "EndpointStatus", after)


def create(world: World, scope: Scope, name: str) -> None:
    """Start a new endpoint's first fleet in the background."""
    hosting(world).run(lambda: _create(world, scope, name), f"endpoint-{name}")


def _create(world: World, scope: Scope, name: str) -> None:
    table = world.table(KIND, scope)
    reason = _launch(world, scope, name, views.live(table[name]))
    with world.lock:
        if name in table:
            status(world, table, name, "Failed" if reason else "InService", reason)


def update(world: World, scope: Scope, name: str) -> None:
    """Carry on the deployment in the endpoint's document, from its launch or, after a restart, from where it was."""
    deployment = world.table(KIND, scope)[name]["_deployment"]
    number = deployment["New"]
    hosting(world).run(lambda: _bring_up(world, scope, name, number), f"endpoint-{name}")
    _schedule(world, scope, name, deployment)


def _bring_up(world: World, scope: Scope, name: str, number: str) -> None:
    table = world.table(KIND, scope)
    endpoint = table[name]
    if endpoint["_deployment"].get("Silent"):
        with world.lock:
            _finish(world, table, name, succeeded=False)
        return
    reason = _launch(world, scope, name, endpoint["_fleets"][number])
    observe(world, scope, name, number, Observation(launched=not reason, failed=reason))


def _launch(world: World, scope: Scope, name: str, fleet: Document) -> str:
    """Start a fleet; returns why it cannot serve, or ""."""
    fault = world.faults.strike("endpoint", name, kinds=_LAUNCH_FAULTS)
    if fault is not None and fault.kind == "endpoint-capacity":
        return wording.NO_CAPACITY
    if fault is not None:
        return wording.not_healthy(fleets.production(fleet)[0], "primary")
    try:
        hosting(world).launch(scope, name, fleet)
    except FleetFailed as error:
        return str(error)
    return ""


def observe(world: World, scope: Scope, name: str, number: str, seen: Observation) -> None:
    """Tell the deployment `number` of an endpoint what is seen, and do what follows."""
    table = world.table(KIND, scope)
    with world.lock:
        endpoint = table.get(name)
        deployment = (endpoint or {}).get("_deployment")
        if endpoint is None or not deployment or deployment["New"] != number:
            return
        before, reached = _phase(deployment), copy.deepcopy(deployment)
        outcome = stages.advance(deployment, world.now(), seen)
        if outcome == "rollback" and world.faults.strike("endpoint", name, kinds=("rollback-failed",)) is not None:
            stages.stick(reached, deployment["Back"])
            endpoint["_deployment"] = reached
            status(world, table, name, "UpdateRollbackFailed", deployment["Back"])
        elif outcome == "rollback":
            status(world, table, name, "RollingBack", deployment["Back"])
            hosting(world).run(lambda: observe(world, scope, name, number, Observation()), f"rollback-{name}")
        elif outcome:
            _finish(world, table, name, succeeded=outcome == "succeeded")
        else:
            views.refresh(endpoint, world.now())
            table.put(name, endpoint)
            if _phase(deployment) != before:
                # A new stage in the same status: told as "Endpoint deployment state change", as it is at this moment.
                state = endpoint["EndpointStatus"]
                world.bus.publish(Change(KIND, scope, name, state, state, copy.deepcopy(endpoint)))
            _schedule(world, scope, name, deployment)


def abandon(world: World, scope: Scope, name: str, endpoint: Document) -> None:
    """Drop the fleet of a deployment that is stuck: a new update begins from the old fleet. Needs the lock."""
    stuck = endpoint.pop("_deployment", None)
    if stuck:
        number = stuck["New"]
        endpoint["_fleets"].pop(number, None)
        hosting(world).run(lambda: hosting(world).stop(scope, name, number, drain=True), f"abandon-{name}")


def _phase(deployment: Document) -> str:
    stage = stages.current(deployment)
    return str(stage["Phase"]) if stage else ""


def _schedule(world: World, scope: Scope, name: str, deployment: Document) -> None:
    due, number = stages.due(deployment), deployment["New"]
    if due is not None:
        when = datetime.fromtimestamp(due, UTC)
        world.clock.call_at(when, lambda: _tick(world, scope, name, number), f"deployment of {name}")


def _tick(world: World, scope: Scope, name: str, number: str) -> None:
    """Look at the alarms, without the lock, then move on."""
    with world.lock:
        endpoint = world.table(KIND, scope).get(name)
        deployment = (endpoint or {}).get("_deployment")
        if not deployment or deployment["New"] != number:
            return
        names = list(deployment["Alarms"]) if stages.watched(deployment) else []
    alarm = ""
    if names:
        metrics = hosting(world).metrics
        metrics.send()
        alarm = alarms.ringing(world, scope, names, metrics.statistic)
    observe(world, scope, name, number, Observation(alarm=alarm))


def _finish(world: World, table: Table, name: str, *, succeeded: bool) -> None:
    endpoint = table[name]
    deployment = endpoint.pop("_deployment")
    gone = deployment["Old"] if succeeded else deployment["New"]
    endpoint["_live"] = deployment["New"] if succeeded else deployment["Old"]
    endpoint["_fleets"].pop(gone, None)
    status(world, table, name, "InService", "" if succeeded else deployment["Back"])
    hosting(world).run(lambda: hosting(world).stop(table.scope, name, gone, drain=True), f"retire-{name}")


def adjust(world: World, scope: Scope, name: str) -> None:
    """Bring the desired weights and capacities of the document into force in the background."""
    hosting(world).run(lambda: _adjust(world, scope, name), f"adjust-{name}")


def _adjust(world: World, scope: Scope, name: str) -> None:
    table = world.table(KIND, scope)
    with world.lock:
        endpoint = table[name]
        fleet = views.live(endpoint)
        for variant, desired in endpoint.pop("_desired").items():
            fleet["Weights"][variant] = desired.get("Weight", fleet["Weights"][variant])
            fleet["Counts"][variant] = desired.get("Count", fleet["Counts"][variant])
            if "Serverless" in desired:
                fleet["Serverless"][variant] = {**fleet["Serverless"][variant], **desired["Serverless"]}
        status(world, table, name, "InService", "")


def _serve_again(world: World, scope: Scope, name: str, fleet: Document) -> None:
    try:
        hosting(world).launch(scope, name, fleet)
    except FleetFailed as error:
        log.warning("endpoint %s is without its fleet after the restart: %s", name, error)


def delete(world: World, scope: Scope, name: str) -> None:
    """Stop everything of an endpoint in the background, write what was captured, then forget it."""
    hosting(world).run(lambda: _delete(world, scope, name), f"delete-{name}")


def _delete(world: World, scope: Scope, name: str) -> None:
    room = hosting(world)
    room.stop(scope, name)
    room.capture.forget(scope, name)
    room.metrics.forget(scope, name)
    with world.lock:
        world.table(KIND, scope).delete(name)


def resume(world: World, scope: Scope, name: str, endpoint: Document) -> None:
    """Go on with an endpoint from before a restart."""
    state = endpoint["EndpointStatus"]
    if state == "Deleting":
        delete(world, scope, name)
    elif state == "Creating":
        create(world, scope, name)
    elif state != "Failed":
        live = views.live(endpoint)
        hosting(world).run(lambda: _serve_again(world, scope, name, live), f"endpoint-{name}")
        if "_deployment" in endpoint:
            update(world, scope, name)
        elif "_desired" in endpoint:
            adjust(world, scope, name)
