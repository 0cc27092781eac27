"""Google's own clients against the services around, over gRPC."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound

from cloudml_vertex.mock.around import topics
from cloudml_vertex.mock.core import entries, series
from tests.unit.vertex_mock.around.vertex_around import PROJECT, T0, Lab, served

NAME = f"projects/{PROJECT}"


@pytest.fixture
def address(lab: Lab) -> Iterator[str]:
    with served(lab.world) as found:
        yield found


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as found:
        yield found


def test_monitoring(lab: Lab, channel: grpc.Channel) -> None:
    from google.cloud import monitoring_v3
    from google.cloud.monitoring_v3.services.alert_policy_service.transports import AlertPolicyServiceGrpcTransport
    from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
    from google.cloud.monitoring_v3.services.notification_channel_service.transports import (
        NotificationChannelServiceGrpcTransport,
    )

    metrics = monitoring_v3.MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
    labels = {"endpoint_id": "9", "location": "us-central1"}
    metric = "aiplatform.googleapis.com/prediction/online/prediction_count"
    resource = "aiplatform.googleapis.com/Endpoint"
    series.add(lab.world, lab.scope, metric, {}, resource, labels, 30, kind="DELTA", at=T0 - 30)
    interval = monitoring_v3.TimeInterval(end_time={"seconds": int(T0)}, start_time={"seconds": int(T0) - 600})
    how = monitoring_v3.Aggregation(
        alignment_period={"seconds": 60}, per_series_aligner=monitoring_v3.Aggregation.Aligner.ALIGN_RATE
    )
    request = {"name": NAME, "filter": f'metric.type="{metric}"', "interval": interval, "aggregation": how, "view": 0}
    (found,) = metrics.list_time_series(request=request)
    assert found.points[0].value.double_value == 0.5
    with pytest.raises(InvalidArgument, match="single metric type"):
        metrics.list_time_series(request={**request, "filter": 'resource.type="x"'})

    channels = monitoring_v3.NotificationChannelServiceClient(
        transport=NotificationChannelServiceGrpcTransport(channel=channel)
    )
    given = monitoring_v3.NotificationChannel(type_="email", labels={"email_address": "a@b.example"})
    kept = channels.create_notification_channel(name=NAME, notification_channel=given)
    assert kept.type_ == "email"
    policies = monitoring_v3.AlertPolicyServiceClient(transport=AlertPolicyServiceGrpcTransport(channel=channel))
    threshold = monitoring_v3.AlertPolicy.Condition.MetricThreshold(
        filter=f'metric.type="{metric}" AND resource.type="{resource}"',
        comparison=monitoring_v3.ComparisonType.COMPARISON_GT,
        threshold_value=1,
        duration={"seconds": 60},
    )
    condition = monitoring_v3.AlertPolicy.Condition(display_name="c", condition_threshold=threshold)
    policy = monitoring_v3.AlertPolicy(
        display_name="p",
        combiner=monitoring_v3.AlertPolicy.ConditionCombinerType.OR,
        conditions=[condition],
        notification_channels=[kept.name],
    )
    made = policies.create_alert_policy(name=NAME, alert_policy=policy)
    assert [row.name for row in policies.list_alert_policies(name=NAME)] == [made.name]
    assert made.enabled
    policies.delete_alert_policy(name=made.name)
    with pytest.raises(NotFound):
        policies.get_alert_policy(name=made.name)


def test_pubsub_by_its_environment_variable(lab: Lab, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.cloud import pubsub_v1

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    publisher = pubsub_v1.PublisherClient()
    topic, name = f"{NAME}/topics/news", f"{NAME}/subscriptions/reader"
    with pubsub_v1.SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        with pytest.raises(AlreadyExists):
            publisher.create_topic(name=topic)
        subscriber.create_subscription(name=name, topic=topic)
        ids = [publisher.publish(topic, text.encode(), colour="red").result(timeout=20) for text in ("a", "b")]
        got: list[Any] = []
        both = threading.Event()

        def receive(message: Any) -> None:
            message.ack()
            got.append(message)
            if len(got) == 2:
                both.set()

        streaming = subscriber.subscribe(name, callback=receive)
        assert both.wait(20)
        streaming.cancel()
        streaming.result(timeout=20)
        assert {message.message_id for message in got} == set(ids)
        assert {(message.data, message.attributes["colour"]) for message in got} == {(b"a", "red"), (b"b", "red")}
        with lab.world.lock:
            assert len(topics.waiting(lab.world, f"projects/{lab.number}/subscriptions/reader")) == 0
    publisher.transport.close()


def test_logging(lab: Lab, channel: grpc.Channel) -> None:
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

    client = LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel))
    resource = {"type": "ml_job", "labels": {"job_id": "7"}}
    entries.write(lab.world, lab.scope, "workerpool0-0", resource, {}, [f"line {number}" for number in range(5)])
    client.write_log_entries(log_name=f"{NAME}/logs/app", resource=resource, entries=[{"text_payload": "mine"}])
    request = {"resource_names": [NAME], "filter": 'resource.labels.job_id="7" "line"', "page_size": 2}
    found = [entry.text_payload for entry in client.list_log_entries(request=request)]
    assert found == [f"line {number}" for number in range(5)]
    assert list(client.list_logs(parent=NAME)) == [f"{NAME}/logs/app", f"{NAME}/logs/workerpool0-0"]


def test_projects(lab: Lab, channel: grpc.Channel) -> None:
    from google.cloud import resourcemanager_v3
    from google.cloud.resourcemanager_v3.services.projects.transports import ProjectsGrpcTransport

    client = resourcemanager_v3.ProjectsClient(transport=ProjectsGrpcTransport(channel=channel))
    assert client.get_project(name=NAME).name == f"projects/{lab.number}"
    found = client.test_iam_permissions(resource=NAME, permissions=["a.b.c"])
    assert list(found.permissions) == ["a.b.c"]
