"""Where requests to moto's services concern the rooms: what they refuse, answer themselves, or hear of afterwards.

moto takes schedules that no clock can keep and scalable targets that do not exist; it delivers no event to pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.face.incoming import Incoming
from cloudml_sagemaker.mock.face.replies import Reply, as_json

Params = Mapping[str, Any]


def answered(world: World, incoming: Incoming, scope: Callable[[], Scope]) -> Reply | None:
    """A room's answer in moto's place; None when moto is to answer. Raises AwsError for what a room refuses."""
    key = (incoming.service, incoming.operation) if incoming.service in _SERVICES else ("", "")
    check, answer = _CHECKS.get(key), _ANSWERS.get(key)
    if check is None and answer is None:
        return None
    params = _params(incoming)
    if params is None:
        return None
    if check is not None:
        refused = check(world, scope(), params)
        if refused is not None:
            raise refused
    return as_json(answer(world, scope(), params)) if answer is not None else None


def told(world: World, incoming: Incoming, scope: Callable[[], Scope]) -> None:
    """moto has done it: tell whom it concerns."""
    if incoming.service in {"events", "scheduler"} and incoming.changes:
        from cloudml_sagemaker.mock.events import schedules

        schedules.changed(world, scope())


def _params(incoming: Incoming) -> dict[str, Any] | None:
    try:
        params = incoming.json()
    except (ValueError, RecursionError):
        return None
    return params if isinstance(params, dict) else None


def _target(world: World, scope: Scope, params: Params) -> AwsError | None:
    from cloudml_sagemaker.mock.hosting import scaling

    return scaling.check(world, scope, params)


def _rule(_world: World, _scope: Scope, params: Params) -> AwsError | None:
    from cloudml_sagemaker.mock.events import patterns

    pattern = params.get("EventPattern")
    refused = patterns.refuse(pattern) if isinstance(pattern, str) and pattern else None
    if refused is not None:
        return AwsError("InvalidEventPatternException", refused)
    return _expression(params, scheduler=False)


def _schedule(_world: World, _scope: Scope, params: Params) -> AwsError | None:
    return _expression(params, scheduler=True)


def _expression(params: Params, *, scheduler: bool) -> AwsError | None:
    from cloudml_sagemaker.mock.events import schedules

    expression = params.get("ScheduleExpression")
    if not isinstance(expression, str) or (not expression and not scheduler):
        return None
    zone = params.get("ScheduleExpressionTimezone")
    refused = schedules.refuse(expression, zone if isinstance(zone, str) else None, scheduler=scheduler)
    return validation(refused) if refused else None


def _put_events(world: World, scope: Scope, params: Params) -> dict[str, Any]:
    from cloudml_sagemaker.mock.events import router

    entries = params.get("Entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise validation("1 validation error detected: Value at 'entries' must be a list of structures")
    return router.put(world, scope, entries)


_CHECKS: Mapping[tuple[str, str], Callable[[World, Scope, Params], AwsError | None]] = {
    ("application-autoscaling", "RegisterScalableTarget"): _target,
    ("events", "PutRule"): _rule,
    ("scheduler", "CreateSchedule"): _schedule,
    ("scheduler", "UpdateSchedule"): _schedule,
}
_ANSWERS: Mapping[tuple[str, str], Callable[[World, Scope, Params], dict[str, Any]]] = {
    ("events", "PutEvents"): _put_events,
}
_SERVICES = {service for service, _ in (*_CHECKS, *_ANSWERS)}
