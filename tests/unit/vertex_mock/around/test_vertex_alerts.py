"""Alert policies on a held clock: incidents open and close when Monitoring's rules say so, and channels hear of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cloudml_vertex.mock.core import notices, series
from tests.unit.vertex_mock.around.vertex_around import PROJECT, Lab

ERRORS = "aiplatform.googleapis.com/prediction/online/error_count"
COUNT = "aiplatform.googleapis.com/prediction/online/response_count"
ENDPOINT = "aiplatform.googleapis.com/Endpoint"
NAME = f"projects/{PROJECT}"
TOPIC = f"{NAME}/topics/alerts"
SUBSCRIPTION = f"{NAME}/subscriptions/alerts"


def add(lab: Lab, value: int, metric: str = ERRORS, model: str = "1", endpoint: str = "9") -> None:
    labels = {"endpoint_id": endpoint, "location": "us-central1"}
    series.add(lab.world, lab.scope, metric, {"deployed_model_id": model}, ENDPOINT, labels, value, kind="DELTA")


def threshold(value: float = 5, duration: int = 0, metric: str = ERRORS, **more: Any) -> dict[str, Any]:
    how = {"alignment_period": "60s", "per_series_aligner": "ALIGN_DELTA"}
    body = {
        "filter": f'metric.type="{metric}" AND resource.type="{ENDPOINT}"',
        "aggregations": [how],
        "comparison": "COMPARISON_GT",
        "threshold_value": value,
        "duration": f"{duration}s",
        **more,
    }
    return {"display_name": f"{metric} above {value}", "condition_threshold": body}


def absence(duration: int) -> dict[str, Any]:
    body = {"filter": f'metric.type="{ERRORS}" AND resource.type="{ENDPOINT}"', "duration": f"{duration}s"}
    return {"display_name": "silent", "condition_absent": body}


def watch(lab: Lab, *conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A policy with a Pub/Sub channel."""
    lab.call("Publisher.CreateTopic", name=TOPIC)
    lab.call("Subscriber.CreateSubscription", name=SUBSCRIPTION, topic=TOPIC)
    channel = {"type": "pubsub", "display_name": "bus", "labels": {"topic": TOPIC}}
    kept = lab.call("NotificationChannelService.CreateNotificationChannel", name=NAME, notification_channel=channel)
    policy = {"display_name": "p", "conditions": list(conditions), "notification_channels": [kept["name"]], **more}
    policy.setdefault("combiner", "OR")
    return lab.call("AlertPolicyService.CreateAlertPolicy", name=NAME, alert_policy=policy)


def heard(lab: Lab) -> list[dict[str, Any]]:
    """The incidents of the notices since the last call."""
    got = lab.call("Subscriber.Pull", subscription=SUBSCRIPTION, max_messages=100, return_immediately=True)
    found = got.get("received_messages", [])
    if found:
        ids = [one["ack_id"] for one in found]
        lab.call("Subscriber.Acknowledge", subscription=SUBSCRIPTION, ack_ids=ids)
    return [json.loads(base64.b64decode(one["message"]["data"]))["incident"] for one in found]


def states(lab: Lab) -> list[str]:
    return [incident["state"] for incident in heard(lab)]


def minutes(lab: Lab, *values: int, **more: Any) -> list[list[str]]:
    """What was heard after each of these minutes."""
    told = []
    for value in values:
        add(lab, value, **more)
        lab.advance(60)
        told.append(states(lab))
    return told


def test_an_incident_opens_at_once_and_closes_when_it_is_over(lab: Lab) -> None:
    watch(lab, threshold(5))
    assert minutes(lab, 5, 6) == [[], ["open"]]
    assert minutes(lab, 7, 5) == [[], ["closed"]]


def test_the_violation_must_last_for_the_duration(lab: Lab) -> None:
    watch(lab, threshold(5, duration=120))
    assert minutes(lab, 6, 6, 1, 6, 6, 6) == [[], [], [], [], [], ["open"]]


def test_the_notice_says_what_happened(lab: Lab) -> None:
    policy = watch(lab, threshold(5), severity="CRITICAL", user_labels={"team": "ml"})
    add(lab, 9)
    lab.advance(60)
    (incident,) = heard(lab)
    assert incident["observed_value"] == "9"
    assert incident["threshold_value"] == "5"
    assert incident["policy_name"] == policy["display_name"]
    assert incident["policy_user_labels"] == {"team": "ml"}
    assert incident["resource"]["labels"]["endpoint_id"] == "9"
    assert incident["metric"]["labels"] == {"deployed_model_id": "1"}
    assert incident["scoping_project_id"] == PROJECT
    assert incident["started_at"] == int(lab.world.now())
    assert incident["ended_at"] is None


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("EVALUATION_MISSING_DATA_INACTIVE", [["open"], ["closed"], []]),
        ("EVALUATION_MISSING_DATA_NO_OP", [["open"], [], []]),
        ("EVALUATION_MISSING_DATA_ACTIVE", [["open"], [], []]),
    ],
)
def test_data_that_stops(lab: Lab, missing: str, told: list[list[str]]) -> None:
    watch(lab, threshold(5, duration=60, evaluation_missing_data=missing))
    minutes(lab, 9)
    add(lab, 9)
    found = []
    for _ in range(3):
        lab.advance(60)
        found.append(states(lab))
    assert found == told


@pytest.mark.parametrize(("missing", "told"), [("NO_OP", []), ("ACTIVE", ["open"])])
def test_data_that_stops_before_the_duration_is_over(lab: Lab, missing: str, told: list[str]) -> None:
    watch(lab, threshold(5, duration=180, evaluation_missing_data=f"EVALUATION_MISSING_DATA_{missing}"))
    minutes(lab, 9)
    lab.advance(300)
    assert states(lab) == told


def test_an_incident_without_data_closes_by_itself(lab: Lab) -> None:
    watch(lab, threshold(5), alert_strategy={"auto_close": "1800s"})
    assert minutes(lab, 9) == [["open"]]
    lab.advance(1740)
    assert states(lab) == []
    lab.advance(60)
    assert states(lab) == ["closed"]


def test_the_trigger_counts_series(lab: Lab) -> None:
    watch(lab, threshold(5, trigger={"count": 2}))
    add(lab, 9, model="1")
    lab.advance(60)
    assert states(lab) == []
    add(lab, 9, model="1")
    add(lab, 9, model="2")
    lab.advance(60)
    assert states(lab) == ["open", "open"]


@pytest.mark.parametrize(
    ("combiner", "endpoint", "told"),
    [
        ("OR", "9", ["open", "open"]),
        ("AND", "10", ["open"]),
        ("AND_WITH_MATCHING_RESOURCE", "9", ["open"]),
        ("AND_WITH_MATCHING_RESOURCE", "10", []),
    ],
)
def test_conditions_are_combined(lab: Lab, combiner: str, endpoint: str, told: list[str]) -> None:
    watch(lab, threshold(5), threshold(5, metric=COUNT), combiner=combiner)
    add(lab, 9)
    add(lab, 9, metric=COUNT, endpoint=endpoint)
    lab.advance(60)
    assert states(lab) == told


def test_a_ratio_of_two_metrics(lab: Lab) -> None:
    how: dict[str, Any] = {
        "alignment_period": "60s",
        "per_series_aligner": "ALIGN_DELTA",
        "cross_series_reducer": "REDUCE_SUM",
        "group_by_fields": ["metric.labels.deployed_model_id"],
    }
    denominator: dict[str, Any] = {"denominator_filter": f'metric.type="{COUNT}"', "denominator_aggregations": [how]}
    watch(lab, threshold(0.1, aggregations=[how], **denominator))
    for errors, requests, told in ((1, 10, []), (2, 10, ["open"]), (5, 100, ["closed"])):
        add(lab, errors)
        add(lab, requests, metric=COUNT)
        lab.advance(60)
        assert states(lab) == told


def test_absence_of_a_series_that_was_seen(lab: Lab) -> None:
    watch(lab, absence(180))
    lab.advance(300)
    assert states(lab) == []
    assert minutes(lab, 1) == [[]]
    lab.advance(120)
    assert states(lab) == []
    lab.advance(60)
    assert states(lab) == ["open"]
    assert minutes(lab, 1) == [["closed"]]


def test_a_policy_goes_on_after_a_restart(lab: Lab) -> None:
    watch(lab, threshold(5, duration=60))
    assert minutes(lab, 9) == [[]]
    lab.reopen()
    assert minutes(lab, 9) == [["open"]]
    lab.reopen()
    assert minutes(lab, 9, 1) == [[], ["closed"]]


def test_a_policy_that_is_switched_off_or_deleted_is_silent(lab: Lab) -> None:
    policy = watch(lab, threshold(5))
    assert minutes(lab, 9) == [["open"]]
    off = {"name": policy["name"], "enabled": False}
    lab.call("AlertPolicyService.UpdateAlertPolicy", alert_policy=off, update_mask="enabled")
    assert states(lab) == ["closed"]
    assert minutes(lab, 9) == [[]]
    on = {"name": policy["name"], "enabled": True}
    lab.call("AlertPolicyService.UpdateAlertPolicy", alert_policy=on, update_mask="enabled")
    assert minutes(lab, 9) == [["open"]]
    lab.call("AlertPolicyService.DeleteAlertPolicy", name=policy["name"])
    assert states(lab) == ["closed"]
    assert minutes(lab, 9) == [[]]


def test_policies_are_kept_listed_and_changed(lab: Lab) -> None:
    policy = watch(lab, threshold(5))
    assert policy["name"].startswith(f"projects/{PROJECT}/alertPolicies/")
    assert policy["conditions"][0]["name"].startswith(f"{policy['name']}/conditions/")
    listed = lab.call("AlertPolicyService.ListAlertPolicies", name=NAME, filter='display_name="p"')
    assert [row["name"] for row in listed["alert_policies"]] == [policy["name"]]
    assert lab.call("AlertPolicyService.GetAlertPolicy", name=policy["name"]) == policy
    other = f"projects/{lab.number}/alertPolicies/{policy['name'].rpartition('/')[2]}"
    assert lab.call("AlertPolicyService.GetAlertPolicy", name=other)["name"] == policy["name"]


BAD = [
    ([], {}, "INVALID_ARGUMENT", "conditions"),
    ([threshold(comparison="COMPARISON_GE")], {}, "INVALID_ARGUMENT", "COMPARISON_LT"),
    ([threshold(duration=90)], {}, "INVALID_ARGUMENT", "multiple of a minute"),
    ([threshold(filter=f'metric.type="{ERRORS}"')], {}, "INVALID_ARGUMENT", "resource.type"),
    (
        [threshold(filter='metric.type="custom.googleapis.com/x" resource.type="global"')],
        {},
        "NOT_FOUND",
        "Cannot find",
    ),
    ([threshold(forecast_options={"forecast_horizon": "3600s"})], {}, "UNIMPLEMENTED", "forecast"),
    ([absence(60)], {}, "INVALID_ARGUMENT", "2 minutes"),
    ([{"display_name": "q", "condition_monitoring_query_language": {"query": "x"}}], {}, "UNIMPLEMENTED", "query"),
    ([threshold()], {"notification_channels": [f"{NAME}/notificationChannels/1"]}, "NOT_FOUND", "notificationChannels"),
    ([threshold(), threshold()], {"combiner": "COMBINE_UNSPECIFIED"}, "INVALID_ARGUMENT", "combiner"),
]


@pytest.mark.parametrize(("conditions", "more", "code", "why"), BAD)
def test_policies_that_are_wrong_are_refused(
    lab: Lab, conditions: list[dict[str, Any]], more: dict[str, Any], code: str, why: str
) -> None:
    policy = {"display_name": "p", "combiner": "OR", "conditions": conditions, **more}
    assert why in lab.refused("AlertPolicyService.CreateAlertPolicy", code, name=NAME, alert_policy=policy)


def test_channels(lab: Lab) -> None:
    def create(kind: str, **labels: str) -> dict[str, Any]:
        return {"name": NAME, "notification_channel": {"type": kind, "display_name": "c", "labels": labels}}

    service = "NotificationChannelService"
    kept = lab.call(f"{service}.CreateNotificationChannel", **create("email", email_address="a@b.example"))
    lab.refused(f"{service}.CreateNotificationChannel", "UNIMPLEMENTED", **create("webhook_tokenauth", url="https://x"))
    lab.refused(f"{service}.CreateNotificationChannel", "INVALID_ARGUMENT", **create("pigeon", loft="x"))
    lab.refused(f"{service}.CreateNotificationChannel", "INVALID_ARGUMENT", **create("email", topic="x"))
    found = lab.call(f"{service}.ListNotificationChannels", name=NAME, filter='type="email"')
    assert [row["name"] for row in found["notification_channels"]] == [kept["name"]]
    policy = {"display_name": "p", "conditions": [threshold(5)], "notification_channels": [kept["name"]]}
    policy = lab.call("AlertPolicyService.CreateAlertPolicy", name=NAME, alert_policy=policy)
    add(lab, 9)
    lab.advance(60)
    (mail,) = notices.emails(lab.world, lab.scope)
    assert (mail["to"], mail["message"]["incident"]["state"]) == ("a@b.example", "open")
    lab.refused(f"{service}.DeleteNotificationChannel", "FAILED_PRECONDITION", name=kept["name"])
    lab.call(f"{service}.DeleteNotificationChannel", name=kept["name"], force=True)
    assert (
        "notification_channels" not in lab.call("AlertPolicyService.GetAlertPolicy", name=policy["name"])
        or not (lab.call("AlertPolicyService.GetAlertPolicy", name=policy["name"])["notification_channels"])
    )
    lab.refused(f"{service}.GetNotificationChannel", "NOT_FOUND", name=kept["name"])


def test_a_disabled_channel_is_passed_over(lab: Lab) -> None:
    watch(lab, threshold(5))
    (channel,) = lab.call("NotificationChannelService.ListNotificationChannels", name=NAME)["notification_channels"]
    off = {"name": channel["name"], "enabled": False}
    lab.call("NotificationChannelService.UpdateNotificationChannel", notification_channel=off, update_mask="enabled")
    assert minutes(lab, 9) == [[]]
