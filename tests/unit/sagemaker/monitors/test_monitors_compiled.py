"""Monitors and alerts as documents: what AWS's own models take, what is refused, what keeps its secrets."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from monitor_account import SETTINGS, TARGET, compiled, monitor, of_kind, pipeline, step_json

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.errors import SpecError
from cloudml.plan import Resource
from cloudml_sagemaker.mock.events.schedules import refuse
from cloudml_sagemaker.mock.monitors.times import rhythm
from cloudml_sagemaker.mock.pipelines.definition.parse import parse

SECRET = spec.SecretRef(name="HOOK")


def alert(channel: Any, target: Any = None, name: str = "team") -> spec.Alert:
    return spec.Alert(name=name, channel=channel, target=target)


def with_alerts(*alerts: spec.Alert) -> tuple[Resource, ...]:
    return compiled(pipeline(monitor(alerts=tuple(one.name for one in alerts)), alerts=alerts))


def threshold(statistic: Any, limit: float = 0.1, **more: Any) -> spec.Threshold:
    return spec.Threshold(statistic=statistic, limit=limit, **more)


def native(*statistics: Any, **fields: Any) -> spec.Monitor:
    thresholds = tuple(threshold(one) for one in statistics or ("ks",))
    return monitor(engine="native", thresholds=thresholds, **fields)


def refused(made: spec.Pipeline, on: Target = TARGET) -> str:
    with pytest.raises(SpecError) as caught:
        compiled(made, on)
    return str(caught.value)


def valid(service: str, operation: str, request: dict[str, Any]) -> None:
    """AWS's own model of the service takes the request."""
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


def test_a_monitor_is_a_pipeline_of_its_own_and_a_schedule() -> None:
    resources = compiled(pipeline(monitor(schedule=spec.Cron(expression="15 6 * * MON", timezone="Europe/Paris"))))
    main, watching = of_kind(resources, "pipeline")
    labels = {tag["Key"]: tag["Value"] for tag in watching.document["Tags"]}
    assert labels["cloudml:monitor"] == "drift"
    assert labels["cloudml:pipeline"] == "made"
    assert not any(tag["Key"] == "cloudml:monitor" for tag in main.document["Tags"])
    assert [step["Name"] for step in watching.document["definition"]["Steps"]] == ["watched-watch"]
    parse(json.dumps(watching.document["definition"]))
    (schedule,) = of_kind(resources, "schedule")
    assert schedule.document["Target"]["Arn"].endswith(f":pipeline/{watching.name}")
    assert schedule.document["ScheduleExpressionTimezone"] == "Europe/Paris"
    assert refuse(schedule.document["ScheduleExpression"], "Europe/Paris", scheduler=True) is None
    valid("scheduler", "CreateSchedule", schedule.document)


def test_the_monitors_pipeline_is_never_that_of_an_author() -> None:
    watching = of_kind(compiled(pipeline(monitor())), "pipeline")[1].name
    named = of_kind(compiled(pipeline(monitor(), name="made-monitor-drift")), "pipeline")[0].name
    assert watching != named


def test_the_watch_is_not_cached_and_waits_for_nothing() -> None:
    made = pipeline(monitor())
    late = made.steps[-1].model_copy(update={"after": ("fit",)})
    (step,) = of_kind(compiled(made.model_copy(update={"steps": (*made.steps[:-1], late)})), "pipeline")[1].document[
        "definition"
    ]["Steps"]
    assert "DependsOn" not in step
    assert "CacheConfig" not in step


def test_what_the_watch_is_told() -> None:
    action = step_json(compiled(pipeline(monitor(rollback=True, features=("age",)))), "watched-watch")["action"]
    assert action["folder"] == "s3://data/samples/mock/monitors/made/drift"
    assert action["capture"] == "s3://data/samples/mock/capture"
    assert action["pipeline"] == "samples-mock-made"
    assert action["rollback"] is True
    assert action["features"] == ["age"]
    assert "retrain" not in action


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pipeline(monitor(thresholds=(threshold("quality", field="auc"),))), "needs labels"),
        (pipeline(monitor(), endpoints=(spec.Endpoint(name="live"),)), "keeps none"),
        (
            pipeline(
                monitor(retrain=spec.Retrain()), parameters=(spec.Parameter(name="day", type="str", required=True),)
            ),
            "day must be given",
        ),
        (
            pipeline(monitor(native=(spec.NativeOption(backend="sagemaker", document={"x": 1}),))),
            "native options are of engine='native'",
        ),
    ],
)
def test_what_could_never_work_is_refused(made: spec.Pipeline, words: str) -> None:
    text = refused(made)
    assert "CML349" in text
    assert words in text


def test_the_services_statistics_need_no_captured_requests() -> None:
    only = monitor(thresholds=(threshold("error_rate"), threshold("latency_p95", 200)))
    assert compiled(pipeline(only, endpoints=(spec.Endpoint(name="live"),)))


def test_topics_and_their_subscriptions() -> None:
    mail = alert("email", "a@example.com, b@example.com", "mail")
    hook, log = alert("webhook", "https://example.com/hook", "hook"), alert("log", None, "log")
    topics = of_kind(with_alerts(mail, hook, log), "topic")
    assert [one.document["Subscriptions"] for one in topics] == [
        [
            {"Protocol": "email", "Endpoint": "a@example.com"},
            {"Protocol": "email", "Endpoint": "b@example.com"},
        ],
        [{"Protocol": "https", "Endpoint": "https://example.com/hook"}],
    ]
    for one in topics:
        valid("sns", "CreateTopic", {"Name": one.document["Name"], "Tags": one.document["Tags"]})
        assert len(one.name) <= 256


MANY = ", ".join(f"person{number}@example.com" for number in range(15))


@pytest.mark.parametrize(
    ("channel", "target"), [("webhook", "http://example.com"), ("email", "nobody"), ("email", MANY)]
)
def test_an_address_that_cannot_be_subscribed_is_refused(channel: str, target: str) -> None:
    made = pipeline(monitor(alerts=("team",)), alerts=(alert(channel, target),))
    assert "CML348" in refused(made)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (alert("slack", SECRET), {"secret": "HOOK"}),
        (alert("slack", "https://hooks.example.com/x"), {"target": "https://hooks.example.com/x"}),
        (alert("webhook", SECRET), {"secret": "HOOK"}),
        (alert("webhook", "https://example.com"), {}),
        (alert("pagerduty", SECRET), {"secret": "HOOK"}),
        (alert("email", SECRET), {}),
        (alert("slack"), {}),
    ],
)
def test_who_posts_itself_and_who_leaves_it_to_the_topic(one: spec.Alert, expected: dict[str, str]) -> None:
    resources = with_alerts(one)
    (told,) = step_json(resources, "watched-watch")["action"]["alerts"]
    arn = f"arn:aws:sns:us-east-1:123456789012:{of_kind(resources, 'topic')[0].name}"
    assert told == {"name": "team", "channel": one.channel, "TopicArn": arn, **expected}


def test_channels_without_a_listener_say_how_to_connect_one() -> None:
    notes = [
        one.document.get("note", "") for one in of_kind(with_alerts(alert("slack"), alert("log", None, "l")), "topic")
    ]
    assert len(notes) == 1
    assert "nothing listens yet" in notes[0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (spec.Every(interval=3600), "cron(0 * ? * * *)"),
        (spec.Every(interval=21_600), "cron(0 0/6 ? * * *)"),
        (spec.Every(interval=86_400), "cron(0 0/24 ? * * *)"),
        (spec.Cron(expression="0 * * * *", timezone="Asia/Tokyo"), "cron(0 * ? * * *)"),
        (spec.Cron(expression="0 7 * * *"), "cron(0 7 ? * * *)"),
        (spec.Cron(expression="0 */8 * * *"), "cron(0 0/8 ? * * *)"),
        (spec.Cron(expression="0 2/12 * * *"), "cron(0 2/12 ? * * *)"),
    ],
)
def test_native_schedules_are_those_of_model_monitor(schedule: Any, expected: str) -> None:
    (found,) = of_kind(compiled(pipeline(native(schedule=schedule))), "monitor")
    assert found.document["ScheduleExpression"] == expected
    rhythm(expected)


@pytest.mark.parametrize(
    "schedule",
    [
        spec.Every(interval=5 * 3600),
        spec.Every(interval=1800),
        spec.Cron(expression="30 7 * * *"),
        spec.Cron(expression="0 7 * * MON"),
        spec.Cron(expression="0 7 * * *", timezone="Europe/Paris"),
        spec.Cron(expression="0 9/6 * * *"),
        spec.Cron(expression="0 */7 * * *"),
    ],
)
def test_other_hours_are_refused(schedule: Any) -> None:
    assert "every full hour" in refused(pipeline(native(schedule=schedule)))


FEW = spec.Threshold(statistic="ks", limit=0.1, min_samples=20)


@pytest.mark.parametrize(
    ("watched", "words"),
    [
        (native("psi"), "no statistic psi"),
        (native(window=7200.0 + 60), "its window is 7260 s"),
        (native(window=2 * 86_400.0), "its window is"),
        (native(rollback=True), "portable engine"),
        (native("ks", "ks"), "one limit a statistic"),
        (monitor(engine="native", thresholds=(FEW,)), "however few rows"),
    ],
)
def test_what_model_monitor_has_not_is_refused(watched: spec.Monitor, words: str) -> None:
    text = refused(pipeline(watched))
    assert words in text
    assert text.count("CML349") == 1


def test_the_native_definition_is_what_the_service_takes() -> None:
    (found,) = of_kind(compiled(pipeline(native("ks", "linf", "null_share"))), "monitor")
    definition = found.document["definition"]
    valid("sagemaker", "CreateDataQualityJobDefinition", {**definition, "Tags": found.document["Tags"]})
    assert definition["DataQualityAppSpecification"]["ImageUri"].startswith("156813124566.dkr.ecr.us-east-1.")
    assert definition["DataQualityJobInput"]["EndpointInput"]["EndpointName"] == "samples-mock-live"
    assert definition["DataQualityJobInput"]["EndpointInput"]["StartTimeOffset"] == "-PT1H"
    assert not of_kind([found], "pipeline")


def test_another_content_is_another_definition_of_the_same_schedule() -> None:
    (one,) = of_kind(compiled(pipeline(native())), "monitor")
    (other,) = of_kind(compiled(pipeline(native(window=7200.0))), "monitor")
    assert one.name == other.name
    assert one.document["definition"]["JobDefinitionName"] != other.document["definition"]["JobDefinitionName"]


def test_a_region_without_a_known_image_needs_one() -> None:
    settings = {**SETTINGS, "region": "eu-south-2", "image": "i", "serving_image": "i"}
    target = Target("mock", "sagemaker", "samples", TARGET.root, settings)
    assert "image is not known for region eu-south-2" in refused(pipeline(native()), target)
    given: dict[str, object] = {"DataQualityAppSpecification": {"ImageUri": "1.dkr.ecr.eu-south-2.amazonaws.com/own"}}
    (found,) = of_kind(
        compiled(pipeline(native(native=(spec.NativeOption(backend="sagemaker", document=given),))), target), "monitor"
    )
    assert found.document["definition"]["DataQualityAppSpecification"]["ImageUri"].endswith("/own")
