"""Alert policies of Cloud Monitoring: what may be in them (google.monitoring.v3.AlertPolicy)."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Table
from cloudml_vertex.mock.around import aggregating, alerting, descriptors, selecting
from cloudml_vertex.mock.around.channels import POLICIES
from cloudml_vertex.mock.around.projects import account_of, shown
from cloudml_vertex.mock.core import labels, masks, names, notices
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import invalid, not_executed, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import duration

_MOST_CONDITIONS = 6
_MOST_CHANNELS = 16
_LONGEST_FILTER = 2048
_LONGEST_PERIOD = 90_000.0
_EXECUTED = {"condition_threshold", "condition_absent"}
_DISPLAYED = {"name", "display_name"}
_CHANGEABLE = (
    "display_name",
    "documentation",
    "user_labels",
    "conditions",
    "combiner",
    "enabled",
    "notification_channels",
    "alert_strategy",
    "severity",
)


def _table(call: Call) -> Table:
    return call.world.table(POLICIES, everywhere(call.scope.account))


def _found(call: Call) -> Document:
    names.parse(call.name, "projects/*/alertPolicies/*")
    found = _table(call).get(call.name)
    if found is None:
        raise not_found(shown(call.world, call.name))
    return found


def _check(call: Call, policy: Document) -> None:
    labels.display_name(policy.get("display_name"), "alert_policy.display_name")
    labels.check(policy.get("user_labels"), "alert_policy.user_labels")
    conditions = policy.get("conditions", [])
    if not 1 <= len(conditions) <= _MOST_CONDITIONS:
        raise invalid(f"alert_policy.conditions: 1 to {_MOST_CONDITIONS} are needed, not {len(conditions)}.")
    if len(conditions) > 1 and policy.get("combiner", "COMBINE_UNSPECIFIED") == "COMBINE_UNSPECIFIED":
        raise invalid("alert_policy.combiner: several conditions must be combined.")
    channels = policy.get("notification_channels", [])
    if len(channels) > _MOST_CHANNELS:
        raise invalid(f"alert_policy.notification_channels: at most {_MOST_CHANNELS}, not {len(channels)}.")
    held = call.world.table(notices.CHANNELS, everywhere(call.scope.account))
    for name in channels:
        if notices.channel_key(call.world, name) not in held:
            raise not_found(name)
    closing = policy.get("alert_strategy", {}).get("auto_close")
    if closing is not None and not alerting.SOONEST_CLOSE <= duration(closing) <= alerting.LATEST_CLOSE:
        raise invalid("alert_policy.alert_strategy.auto_close must be between 30 minutes and 7 days.")
    for condition in conditions:
        _check_condition(call, condition)


def _check_condition(call: Call, condition: Document) -> None:
    labels.display_name(condition.get("display_name"), "condition.display_name")
    kinds = set(condition) - _DISPLAYED
    for kind in sorted(kinds - _EXECUTED):
        raise not_executed(f"An alert's {kind}", "use condition_threshold or condition_absent")
    if len(kinds) != 1:
        raise invalid("A condition must be one of condition_threshold and condition_absent.")
    kind = kinds.pop()
    body = condition[kind]
    _check_filter(call, str(body.get("filter", "")), body.get("aggregations", ()), resource=True)
    lasting = duration(body.get("duration", "0s"))
    if lasting % 60 or lasting < 0:
        raise invalid(f"{kind}.duration must be a multiple of a minute; it is {lasting:g} seconds.")
    trigger = body.get("trigger", {})
    if trigger.get("count", 1) < 1 or not 0 <= trigger.get("percent", 0) <= 100:
        raise invalid(f"{kind}.trigger: {trigger} is neither a count from 1 nor a percentage.")
    if kind == "condition_absent":
        if not alerting.SHORTEST_ABSENCE <= lasting <= alerting.LONGEST_ABSENCE:
            raise invalid("condition_absent.duration must be between 2 minutes and 23 hours 30 minutes.")
        return
    _check_threshold(call, body, lasting)


def _check_threshold(call: Call, body: dict[str, Any], lasting: float) -> None:
    if body.get("comparison") not in {"COMPARISON_GT", "COMPARISON_LT"}:
        raise invalid("condition_threshold.comparison: only COMPARISON_LT and COMPARISON_GT are supported currently.")
    if "forecast_options" in body:
        raise not_executed("An alert's forecast_options", "compare the current value")
    if body.get("evaluation_missing_data") and lasting < 60:
        raise invalid("condition_threshold.evaluation_missing_data needs a duration of at least 60 seconds.")
    if "denominator_filter" in body:
        denominators = body.get("denominator_aggregations", ())
        _check_filter(call, body["denominator_filter"], denominators, resource=False)
        both = [[one.get("alignment_period") for one in many] for many in (body.get("aggregations", ()), denominators)]
        if both[0][:1] != both[1][:1]:
            raise invalid("aggregations and denominator_aggregations must use the same alignment period.")


def _check_filter(call: Call, text: str, aggregations: Any, *, resource: bool) -> None:
    if not text or len(text) > _LONGEST_FILTER:
        raise invalid(f"A condition's filter must have 1 to {_LONGEST_FILTER} characters.")
    _, metric_type = selecting.expression(text, resource=resource)
    for one in aggregations:
        aggregating.checked(one, longest=_LONGEST_PERIOD)
    descriptors.require(call.world, account_of(call.world, f"projects/{call.scope.account}"), metric_type)


def _numbered(call: Call, policy: Document, key: str) -> None:
    """Give each condition a name, unless it is one of the policy's already."""
    for condition in policy["conditions"]:
        if not str(condition.get("name", "")).startswith(f"{shown(call.world, key)}/conditions/"):
            number = names.new_id(call.world, "condition")
            condition["name"] = f"{shown(call.world, key)}/conditions/{number}"


@rpc("AlertPolicyService.CreateAlertPolicy", executes="evaluated every minute of the clock")
def create_alert_policy(call: Call) -> Document:
    """It is evaluated from now on, unless it is not enabled."""
    policy = dict(call.params.get("alert_policy", {}))
    _check(call, policy)
    key = f"projects/{call.scope.account}/alertPolicies/{names.new_id(call.world, POLICIES)}"
    record = {"mutate_time": call.stamp, "mutated_by": call.principal}
    policy.update(name=shown(call.world, key), creation_record=record, mutation_record=record)
    policy.setdefault("enabled", True)
    _numbered(call, policy, key)
    _table(call).put(key, policy)
    alerting.resume(call.world)
    return policy


@rpc("AlertPolicyService.GetAlertPolicy")
def get_alert_policy(call: Call) -> Document:
    """One policy."""
    return _found(call)


@rpc("AlertPolicyService.ListAlertPolicies")
def list_alert_policies(call: Call) -> Document:
    """By display_name, user_labels, enabled, severity, combiner, notification_channels."""
    fields = {key: key for key in ("name", *_CHANGEABLE)}
    result = listed(call, _table(call), "alert_policies", filters=fields, order=fields, default_order="name")
    return {**result, "total_size": len(_table(call))}


@rpc("AlertPolicyService.UpdateAlertPolicy")
def update_alert_policy(call: Call) -> Document:
    """By mask; without one the policy is replaced. A policy that changes begins its evaluation anew."""
    before = _found(call)
    paths = call.params.get("update_mask") or list(_CHANGEABLE)
    changed = masks.apply(before, call.params["alert_policy"], paths, _CHANGEABLE)
    changed.setdefault("enabled", True)
    _check(call, changed)
    _numbered(call, changed, call.name)
    changed["mutation_record"] = {"mutate_time": call.stamp, "mutated_by": call.principal}
    if changed["conditions"] != before["conditions"] or not changed["enabled"]:
        alerting.end(call.world, call.scope, changed)
    _table(call).put(call.name, changed)
    alerting.resume(call.world)
    return changed


@rpc("AlertPolicyService.DeleteAlertPolicy")
def delete_alert_policy(call: Call) -> None:
    """Its incidents end with it."""
    alerting.end(call.world, call.scope, _found(call))
    _table(call).delete(call.name)
