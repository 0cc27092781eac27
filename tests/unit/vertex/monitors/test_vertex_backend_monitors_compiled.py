"""Monitors and alerts as they are compiled: one declaration for three engines, and what cannot be is told at once."""

from __future__ import annotations

from typing import Any

import pytest
from vertex_monitor_spec import Account, Compilation, Wired, monitor, native, pipeline

from cloudml import spec
from cloudml_vertex.compile import alerts, monitors, native_monitors

SLACK = spec.Alert(name="team", channel="slack", target="https://hooks.slack.com/x")
MAIL = spec.Alert(name="mail", channel="email", target="a@example.com, b@example.com")


def compilation(watched: spec.Monitor, engine: str = "portable", **fields: Any) -> Compilation:
    return Compilation(pipeline(watched, **fields), Account(monitors=engine))


def action(made: Compilation) -> dict[str, Any]:
    return monitors.watch_action(made, made.step, Wired(), "samples-mock-made")


def test_a_watch_is_told_all_that_it_needs() -> None:
    rules = spec.Retrain(cooldown=60.0)
    made = compilation(monitor(alerts=("team",), retrain=rules, rollback=True), alerts=(SLACK,))
    found = action(made)
    assert found["capture"] == "gs://data/samples/mock/capture"
    assert found["template"] == "gs://data/samples/mock/pipelines/samples-mock-made.json"
    assert (found["retrain"]["cooldown"], found["rollback"]) == (60.0, True)
    topic = f"projects/mock-project/topics/{made.resource_name('made/alert/team')}"
    assert found["alerts"] == [
        {"name": "team", "channel": "slack", "topic": topic, "target": "https://hooks.slack.com/x"}
    ]
    assert monitors.watching(made) == [made.step]
    assert made.findings == []


def test_a_portable_monitor_is_no_resource_of_vertex_ai_s() -> None:
    made = compilation(monitor())
    assert monitors.native(made, made.step) is None
    assert "native" not in monitors.monitor_action(made, made.step, Wired())
    assert {"retrain", "rollback"} & set(action(made)) == set()


@pytest.mark.parametrize(
    ("setting", "own", "engine"),
    [
        ("portable", "portable", ""), ("portable", "native", "v1"), ("native-v1", "portable", "v1"),
        ("native-v2", "portable", "v2"), ("native-v2", "native", "v2"),
    ],
)  # fmt: skip
def test_the_target_chooses_the_engine_of_one_declaration(setting: str, own: str, engine: str) -> None:
    made = compilation(native(engine=own), setting)
    assert native_monitors.engine(made, made.pipeline.monitors[0]) == engine
    found = monitors.native(made, made.step)
    assert (found is not None) == bool(engine)
    if found is not None:
        assert (found.document["engine"], found.document["limits"]) == (engine, {"js": 0.1, "linf": 0.2})
        assert ("interval" in found.document, "cron" in found.document) == (engine == "v1", engine == "v2")
        assert monitors.monitor_action(made, made.step, Wired())["native"] == found.document
    assert made.findings == []


def threshold(statistic: str = "js", **more: Any) -> tuple[spec.Threshold, ...]:
    return (spec.Threshold(**{"statistic": statistic, "limit": 0.1, **more}),)


@pytest.mark.parametrize(
    "fields",
    [
        {"thresholds": threshold("psi")}, {"thresholds": threshold("error_rate")},
        {"thresholds": threshold(direction="below")}, {"thresholds": threshold(field="age")},
        {"thresholds": threshold(min_samples=7)}, {"thresholds": threshold() * 2}, {"thresholds": threshold(limit=1.5)},
        {"window": 1800.0}, {"retrain": spec.Retrain()}, {"rollback": True}, {"alerts": ("team",)},
        {"schedule": spec.Every(interval=5400)}, {"schedule": spec.Cron(expression="30 6 * * *")},
        {"schedule": spec.Cron(expression="0 */5 * * *")},
    ],
)  # fmt: skip
def test_what_vertex_ai_s_monitoring_cannot_do_is_refused(fields: dict[str, Any]) -> None:
    made = compilation(native(**fields), "native-v1", alerts=(SLACK,))
    monitors.native(made, made.step)
    monitors.monitor_action(made, made.step, Wired())
    assert made.told == [("CML349", "monitor drift")]


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (spec.Every(interval=7200), 7200), (spec.Cron(expression="0 * * * *"), 3600),
        (spec.Cron(expression="0 */6 * * *"), 21_600),
    ],
)  # fmt: skip
def test_v1_looks_every_so_many_hours(schedule: Any, interval: int) -> None:
    made = compilation(native(schedule=schedule), "native-v1")
    found = monitors.native(made, made.step)
    assert found is not None
    assert (found.document["interval"], made.findings) == (interval, [])


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        (spec.Every(interval=60), "TZ=UTC */1 * * * *"), (spec.Every(interval=3600), "TZ=UTC 0 * * * *"),
        (spec.Every(interval=900), "TZ=UTC */15 * * * *"), (spec.Every(interval=21_600), "TZ=UTC 0 */6 * * *"),
        (spec.Every(interval=86_400), "TZ=UTC 0 0 * * *"), (spec.Every(interval=5400), None),
        (spec.Every(interval=61), None), (spec.Every(interval=172_800), None),
        (spec.Cron(expression="30 6 * * MON", timezone="Europe/Berlin"), "TZ=Europe/Berlin 30 6 * * MON"),
    ],
)  # fmt: skip
def test_schedules_in_cron_s_language(schedule: Any, cron: str | None) -> None:
    assert native_monitors.cron(schedule) == cron
    made = compilation(native(schedule=schedule), "native-v2")
    monitors.native(made, made.step)
    assert made.told == ([] if cron else [("CML341", "monitor drift")])


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"thresholds": threshold("quality")}, {}),
        ({}, {"endpoints": (spec.Endpoint(name="live"),)}),
        ({"retrain": spec.Retrain()}, {"parameters": (spec.Parameter(name="day", type="str", required=True),)}),
        ({"native": (spec.NativeOption(backend="vertex", document={}),)}, {}),
    ],
)
def test_what_the_portable_engine_cannot_do_is_refused(fields: dict[str, Any], more: dict[str, Any]) -> None:
    made = compilation(monitor(**fields), **more)
    monitors.watching(made)
    assert made.told == [("CML349", "monitor drift")]


def test_mail_addresses_are_channels_of_a_policy() -> None:
    made = compilation(monitor(), alerts=(MAIL, SLACK, spec.Alert(name="quiet", channel="log")))
    found = alerts.resources(made)
    assert [one.kind for one in found] == ["topic", "channel", "channel", "alert_policy", "topic"]
    assert [one.document["labels"]["email_address"] for one in found[1:3]] == ["a@example.com", "b@example.com"]
    policy = found[3].document
    assert policy["channels"] == sorted(one.name for one in found[1:3])
    told = alerts.channels(made, ["mail", "quiet"])
    assert told[0]["alarm"]["labels"] == {
        "project": "samples", "target": "mock", "pipeline": "made", "alert": "mail",
    }  # fmt: skip
    for key, value in told[0]["alarm"]["labels"].items():
        assert f'metric.labels.{key}="{value}"' in policy["conditions"][0]["condition_threshold"]["filter"]
    assert told[1] == {"name": "quiet", "channel": "log"}
    assert made.findings == []


def test_a_secret_address_is_in_no_document() -> None:
    secret = spec.SecretRef(name="hook")
    made = compilation(
        monitor(),
        alerts=(
            spec.Alert(name="a", channel="webhook", target=secret),
            spec.Alert(name="b", channel="email", target=secret),
        ),
    )
    found = alerts.resources(made)
    assert [one.kind for one in found] == ["topic", "topic"]
    assert "subscribe to the topic" in found[1].document["note"]
    assert alerts.channels(made, ["a"])[0]["secret"] == "hook"


@pytest.mark.parametrize(
    "alert",
    [
        spec.Alert(name="a", channel="webhook", target="http://example.com"),
        spec.Alert(name="a", channel="email", target="nobody"),
        spec.Alert(name="a", channel="email", target=",".join(f"x{n}@example.com" for n in range(17))),
    ],
)
def test_addresses_that_cannot_be_are_told(alert: spec.Alert) -> None:
    made = compilation(monitor(), alerts=(alert,))
    alerts.resources(made)
    assert made.told == [("CML348", "alert a")]
