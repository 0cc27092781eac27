"""Cloud Logging: written, found by the query language, ordered, paged, deleted, bounded."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core import entries
from cloudml_vertex.mock.core.times import stamp
from tests.unit.vertex_mock.around.vertex_around import PROJECT, T0, Lab

LOG = f"projects/{PROJECT}/logs/app"
OTHER = f"projects/{PROJECT}/logs/other%2Fone"
JOB = {"type": "ml_job", "labels": {"job_id": "7"}}


def write(lab: Lab, *given: dict[str, Any], **more: Any) -> None:
    lab.call("LoggingServiceV2.WriteLogEntries", **{"log_name": LOG, "resource": JOB, "entries": list(given), **more})


def found(lab: Lab, filter_: str = "", **more: Any) -> list[dict[str, Any]]:
    given = {"resource_names": [f"projects/{PROJECT}"], "filter": filter_, **more}
    rows: list[dict[str, Any]] = lab.call("LoggingServiceV2.ListLogEntries", **given).get("entries", [])
    return rows


@pytest.fixture
def logged(lab: Lab) -> Lab:
    """Four entries: a, b, c, d."""
    write(lab, {"insert_id": "a", "text_payload": "Loading DATA", "severity": "INFO", "timestamp": stamp(T0 - 30)})
    body = {"step": 3, "loss": 0.25, "name": "fit", "inner": {"ok": True}, "tags": ["x", "y"]}
    write(lab, {"insert_id": "b", "json_payload": body, "severity": "WARNING", "timestamp": stamp(T0 - 20)})
    labels = {"task": "train", "k8s-pod/app": "web"}
    write(lab, {"insert_id": "c", "text_payload": "failed: E42", "severity": "ERROR", "labels": labels})
    resource = {"type": "global", "labels": {}}
    last = {"insert_id": "d", "log_name": OTHER, "resource": resource, "text_payload": "d", "timestamp": stamp(T0 - 10)}
    write(lab, last)
    return lab


FILTERS = [
    ("", "abdc"),
    ('resource.type="ml_job"', "abc"),
    ('resource.type="ml_job" AND resource.labels.job_id="7" severity>=WARNING', "bc"),
    ("severity=INFO OR severity=ERROR", "ac"),
    ("severity=(INFO OR ERROR)", "ac"),
    ("severity<INFO", "d"),
    (f'logName="{OTHER}"', "d"),
    ('log_id("other/one")', "d"),
    ('NOT log_id("app")', "d"),
    ('textPayload:"data"', "a"),
    ('textPayload="loading data"', "a"),
    ('textPayload=~"E[0-9]+"', "c"),
    ('textPayload!~"E[0-9]+"', "ad"),
    ("jsonPayload.step=3", "b"),
    ("jsonPayload.step>3", ""),
    ("jsonPayload.loss<=0.25 jsonPayload.inner.ok=true", "b"),
    ('jsonPayload.tags="y"', "b"),
    ("jsonPayload.name:*", "b"),
    ('jsonPayload.none!="x"', ""),
    ('NOT jsonPayload.none="x"', "abdc"),
    ('labels.task="train"', "c"),
    ('labels."k8s-pod/app"="web"', "c"),
    ('"E42"', "c"),
    ("e42", "c"),
    (f'timestamp>"{stamp(T0 - 20)}"', "dc"),
    (f'timestamp>="{stamp(T0 - 20)}" AND timestamp<"{stamp(T0)}"', "bd"),
    (f"timestamp={stamp(T0 - 20)}", "b"),
    ('timestamp>="2026-11-24"', ""),
    ("severity=INFO OR severity=ERROR AND textPayload:failed", "c"),
    ("(severity=INFO) OR (severity=ERROR AND textPayload:failed)", "ac"),
    ("-severity=INFO -severity=ERROR", "bd"),
    ('insertId="a" -- a comment', "a"),
]


@pytest.mark.parametrize(("filter_", "expected"), FILTERS)
def test_the_query_language(logged: Lab, filter_: str, expected: str) -> None:
    assert "".join(row["insert_id"] for row in found(logged, filter_)) == expected


@pytest.mark.parametrize(
    "filter_",
    [
        'colour="red"',
        "severity>=LOUD",
        'timestamp>"yesterday"',
        'textPayload=~"["',
        "severity=INFO AND",
        "(severity=INFO",
        "sample(insertId, 0.5)",
        "severity=",
        "severity=(INFO OR ERROR AND DEBUG)",
        'textPayload="open',
    ],
)
def test_queries_that_are_wrong_are_refused(logged: Lab, filter_: str) -> None:
    given = {"resource_names": [f"projects/{PROJECT}"], "filter": filter_}
    logged.refused("LoggingServiceV2.ListLogEntries", "INVALID_ARGUMENT", **given)


def test_order_and_pages(logged: Lab) -> None:
    given = {"resource_names": [f"projects/{PROJECT}"], "order_by": "timestamp desc", "page_size": 3}
    first = logged.call("LoggingServiceV2.ListLogEntries", **given)
    second = logged.call("LoggingServiceV2.ListLogEntries", **given, page_token=first["next_page_token"])
    assert "".join(row["insert_id"] for row in first["entries"] + second["entries"]) == "cdba"
    assert "next_page_token" not in second
    other = {**given, "order_by": "timestamp asc", "page_token": first["next_page_token"]}
    logged.refused("LoggingServiceV2.ListLogEntries", "INVALID_ARGUMENT", **other)


def test_logs_are_listed_and_deleted_and_outlive_a_restart(logged: Lab) -> None:
    logged.reopen()
    assert logged.call("LoggingServiceV2.ListLogs", parent=f"projects/{PROJECT}")["log_names"] == [LOG, OTHER]
    logged.call("LoggingServiceV2.DeleteLog", log_name=LOG)
    assert [row["insert_id"] for row in found(logged)] == ["d"]
    logged.refused("LoggingServiceV2.DeleteLog", "NOT_FOUND", log_name=LOG)


def test_an_entry_has_what_the_request_says_for_all(lab: Lab) -> None:
    write(lab, {"text_payload": "x"}, labels={"a": "b"})
    (row,) = found(lab)
    assert (row["log_name"], row["resource"], row["labels"]) == (LOG, JOB, {"a": "b"})
    assert row["timestamp"] == row["receive_timestamp"] == stamp(T0)
    assert row["insert_id"]


def test_the_same_entry_is_kept_once(lab: Lab) -> None:
    entry = {"insert_id": "same", "text_payload": "x", "timestamp": stamp(T0)}
    write(lab, entry, entry)
    assert len(found(lab)) == 1


@pytest.mark.parametrize("at", [T0 - 31 * 86400, T0 + 86_401])
def test_entries_too_old_or_too_far_ahead_are_not_kept(lab: Lab, at: float) -> None:
    write(lab, {"text_payload": "x", "timestamp": stamp(at)})
    assert found(lab) == []


@pytest.mark.parametrize(
    "change",
    [
        {"entries": []},
        {"entries": [{"severity": "INFO"}]},
        {"resource": {}},
        {"log_name": f"projects/{PROJECT}/logs/a b"},
        {"log_name": "app"},
    ],
)
def test_writes_that_are_wrong_are_refused(lab: Lab, change: dict[str, Any]) -> None:
    given = {"log_name": LOG, "resource": JOB, "entries": [{"text_payload": "x"}], **change}
    lab.refused("LoggingServiceV2.WriteLogEntries", "INVALID_ARGUMENT", **given)


def test_rooms_write_by_the_helper(lab: Lab) -> None:
    entries.write(lab.world, lab.scope, "ml.googleapis.com/x", JOB, {"k": "v"}, ["one", {"two": 2}], severity="ERROR")
    first, second = found(lab, 'logName:"x"')
    assert first["log_name"] == f"projects/{PROJECT}/logs/ml.googleapis.com%2Fx"
    assert (first["text_payload"], second["json_payload"]) == ("one", {"two": 2})
    assert (first["severity"], first["labels"]) == ("ERROR", {"k": "v"})


def test_what_is_kept_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST_ENTRIES", 3)
    for number in range(5):
        entries.write(lab.world, lab.scope, "app", JOB, {}, [str(number)], at=T0 + number)
    assert [row["text_payload"] for row in found(lab)] == ["2", "3", "4"]
    lab.reopen()
    entries.write(lab.world, lab.scope, "app", JOB, {}, ["5"], at=T0 + 9)
    assert [row["text_payload"] for row in found(lab)] == ["3", "4", "5"]


def test_tailing_is_refused_by_name(lab: Lab) -> None:
    given = {"resource_names": [f"projects/{PROJECT}"]}
    assert "ListLogEntries" in lab.refused("LoggingServiceV2.TailLogEntries", "UNIMPLEMENTED", **given)
