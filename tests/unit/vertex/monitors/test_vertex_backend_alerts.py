"""Topics, mail channels and alert policies on the mock: made, changed, found, removed; and a mail that really comes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from vertex_monitor_lab import PLATFORM, MonitorBench

from cloudml.jobs.control.posting import Message
from cloudml_vertex.container import alarms, google
from cloudml_vertex.container.rpcs import RPCS, Rpc
from cloudml_vertex.hosting import alert_policies, channels, topics
from cloudml_vertex.hosting.port import Failed

PROJECT = "mock-project"
LABELS = {"cloudml-project": "samples", "cloudml-target": "mock", "cloudml-pipeline": "made"}
_CHANNEL, _POLICY = "NotificationChannelService", "AlertPolicyService"
ASKED = {
    "Publisher.CreateTopic": Rpc("PUT", "v1/{name}", "*"),
    "Publisher.DeleteTopic": Rpc("DELETE", "v1/{topic}"),
    "Publisher.GetTopic": Rpc("GET", "v1/{topic}"),
    "Publisher.ListTopics": Rpc("GET", "v1/{project}/topics"),
    "Publisher.ListTopicSubscriptions": Rpc("GET", "v1/{topic}/subscriptions"),
    "Publisher.UpdateTopic": Rpc("PATCH", "v1/{topic.name}", "*"),
    "MetricService.CreateMetricDescriptor": Rpc("POST", "v3/{name}/metricDescriptors", "metric_descriptor"),
    "MetricService.GetMetricDescriptor": Rpc("GET", "v3/{name}"),
    f"{_CHANNEL}.CreateNotificationChannel": Rpc("POST", "v3/{name}/notificationChannels", "notification_channel"),
    f"{_CHANNEL}.DeleteNotificationChannel": Rpc("DELETE", "v3/{name}"),
    f"{_CHANNEL}.ListNotificationChannels": Rpc("GET", "v3/{name}/notificationChannels"),
    f"{_CHANNEL}.UpdateNotificationChannel": Rpc("PATCH", "v3/{notification_channel.name}", "notification_channel"),
    f"{_POLICY}.CreateAlertPolicy": Rpc("POST", "v3/{name}/alertPolicies", "alert_policy"),
    f"{_POLICY}.DeleteAlertPolicy": Rpc("DELETE", "v3/{name}"),
    f"{_POLICY}.ListAlertPolicies": Rpc("GET", "v3/{name}/alertPolicies"),
    f"{_POLICY}.UpdateAlertPolicy": Rpc("PATCH", "v3/{alert_policy.name}", "alert_policy"),
}
"""What the command line asks, and jobs never: by the bindings of the published protos."""


@pytest.fixture
def asked(bench: MonitorBench, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Jobs' way to Google, taught what the command line asks."""
    for name, rpc in ASKED.items():
        monkeypatch.setitem(RPCS, name, rpc)
    return google


def channel(address: str = "team@example.com") -> dict[str, Any]:
    return {
        "name": "samples-mock-made-alert-team-1", "type": "email", "labels": {"email_address": address},
        "user_labels": LABELS,
    }  # fmt: skip


def policy(**more: Any) -> dict[str, Any]:
    about = 'metric.labels.pipeline="made" AND metric.labels.alert="team"'
    threshold = {
        "filter": f'metric.type="{alert_policies.METRIC}" AND resource.type="global" AND {about}',
        "comparison": "COMPARISON_GT", "duration": "0s",
        "aggregations": [{"alignment_period": "60s", "per_series_aligner": "ALIGN_MAX"}],
    }  # fmt: skip
    return {
        "name": "samples-mock-made-alert-team", "user_labels": LABELS, "combiner": "OR",
        "channels": ["samples-mock-made-alert-team-1"],
        "conditions": [{"display_name": "a message", "condition_threshold": threshold}],
        "documentation": {"content": "${metric.label.subject}", "mime_type": "text/markdown"},
        "alert_strategy": {"auto_close": "1800s"},
        "metric": {"type": alert_policies.METRIC, "metric_kind": "GAUGE", "value_type": "DOUBLE"}, **more,
    }  # fmt: skip


def test_a_topic_is_made_labelled_found_and_removed(asked: Any) -> None:
    document: dict[str, Any] = {"name": "samples-mock-made-alert-team", "labels": LABELS}
    assert topics.read(asked, PROJECT, document["name"]) is None
    for labels in (LABELS, {**LABELS, "team": "ml"}):
        topics.create(asked, PROJECT, {**document, "labels": labels})
        assert topics.read(asked, PROJECT, document["name"]) == {**document, "labels": labels}
    assert list(topics.every(asked, PROJECT)) == [(document["name"], {**LABELS, "team": "ml"})]
    assert topics.subscriptions(asked, PROJECT, document["name"]) == 0
    for _ in range(2):
        topics.delete(asked, PROJECT, document["name"])
        assert topics.read(asked, PROJECT, document["name"]) is None


def test_a_channel_is_found_by_its_display_name(asked: Any) -> None:
    for address in ("team@example.com", "other@example.com"):
        channels.create(asked, PROJECT, channel(address))
        assert channels.read(asked, PROJECT, channel()["name"]) == channel(address)
    assert list(channels.every(asked, PROJECT)) == [(channel()["name"], LABELS)]
    for _ in range(2):
        channels.delete(asked, PROJECT, channel()["name"])
        assert channels.read(asked, PROJECT, channel()["name"]) is None


def test_a_policy_names_its_channels_and_makes_its_metric_known(asked: Any) -> None:
    with pytest.raises(Failed, match="channels that are not there"):
        alert_policies.create(asked, PROJECT, policy())
    channels.create(asked, PROJECT, channel())
    for severity in ("WARNING", "CRITICAL"):
        wanted = policy(severity=severity)
        alert_policies.create(asked, PROJECT, wanted)
        assert alert_policies.read(asked, PROJECT, wanted) == wanted
    assert list(alert_policies.every(asked, PROJECT)) == [(policy()["name"], LABELS)]
    channels.delete(asked, PROJECT, channel()["name"])
    left = alert_policies.read(asked, PROJECT, policy())
    assert left is not None
    assert left["channels"] == []
    for _ in range(2):
        alert_policies.delete(asked, PROJECT, policy()["name"])
        assert alert_policies.read(asked, PROJECT, policy()) is None


@pytest.mark.parametrize("subjects", [["it drifts"], ["it drifts", "it fails"]])
def test_every_message_of_an_alert_opens_an_incident(asked: Any, bench: MonitorBench, subjects: list[str]) -> None:
    """A message is a series of its own, so that it opens an incident of its own: each is told to the channels.

    A channel of Pub/Sub stands for the address here: what it gets can be read.
    """
    topic = f"projects/{PROJECT}/topics/ear"
    bench.rest("PUT", f"/v1/{topic}", {})
    bench.rest("PUT", f"/v1/projects/{PROJECT}/subscriptions/ear", {"topic": topic})
    channels.create(asked, PROJECT, {**channel(), "type": "pubsub", "labels": {"topic": topic}})
    alert_policies.create(asked, PROJECT, policy())
    bench.mock.advance((datetime.now(UTC) - bench.now).total_seconds())
    labels = {"pipeline": "made", "alert": "team"}
    alert = {"name": "team", "channel": "email", "alarm": {"project": f"projects/{PROJECT}", "labels": labels}}
    for subject in subjects:
        assert PLATFORM.alert(alert, Message(subject, "text", "cloudml")) == ""
    bench.mock.advance(120)
    path = f"/v1/projects/{PROJECT}/subscriptions/ear:pull"
    found = bench.rest("POST", path, {"maxMessages": 10}).get("receivedMessages", [])
    told = [json.loads(base64.b64decode(one["message"]["data"])) for one in found]
    assert sorted(one["incident"]["metric"]["labels"]["subject"] for one in told) == subjects


def test_a_point_that_is_refused_is_told(asked: Any, bench: MonitorBench) -> None:
    bench.mock.add_fault("unavailable:CreateTimeSeries")
    problem = alarms.tell(f"projects/{PROJECT}", {"alert": "team"}, Message("it drifts", "text", "cloudml"))
    assert problem.startswith("the message was not taken by Cloud Monitoring: UNAVAILABLE")
