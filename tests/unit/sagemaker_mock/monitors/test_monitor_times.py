"""Which schedule expressions Model Monitor knows, when they fall due, and the windows they look at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudml_sagemaker.mock.monitors import times


def stamp(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def due(expression: str, created: str, count: int = 3) -> list[str]:
    rhythm = times.rhythm(expression)
    anchor = rhythm.anchor(stamp(created))
    found: list[str] = []
    after = anchor - 1
    while len(found) < count and (moment := rhythm.next(anchor, after)) is not None:
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%d %H:%M"))
        after = moment
    return found


# The developer guide's examples: hourly, daily at noon, every 12 hours from 5 PM, every two hours from midnight.
@pytest.mark.parametrize(
    ("expression", "created", "expected"),
    [
        ("cron(0 * ? * * *)", "2026-11-23T09:30", ["23 10:00", "23 11:00", "23 12:00"]),
        ("cron(0 * ? * * *)", "2026-11-23T09:00", ["23 10:00", "23 11:00", "23 12:00"]),
        ("cron(0 12 ? * * *)", "2026-11-23T09:30", ["23 12:00", "24 12:00", "25 12:00"]),
        ("cron(0 0 ? * * *)", "2026-11-23T09:30", ["24 00:00", "25 00:00", "26 00:00"]),
        ("cron(0 17/12 ? * * *)", "2026-11-23T09:30", ["23 17:00", "24 05:00", "24 17:00"]),
        ("cron(0 0/2 ? * * *)", "2026-11-23T23:30", ["24 00:00", "24 02:00", "24 04:00"]),
        ("cron(0 0/6 ? * * *)", "2026-11-23T09:30", ["23 12:00", "23 18:00", "24 00:00"]),
        ("cron(0 00/24 ? * * *)", "2026-11-23T09:30", ["24 00:00", "25 00:00", "26 00:00"]),
        ("NOW", "2026-11-23T09:30", ["23 09:30"]),
    ],
)
def test_documented_expressions(expression: str, created: str, expected: list[str]) -> None:
    assert due(expression, created) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 24 ? * * *)",
        "cron(0 0/25 ? * * *)",
        "cron(0 0/0 ? * * *)",
        "cron(30 * ? * * *)",
        "cron(0 * * * ? *)",
        "cron(0 8 ? * MON *)",
        "cron(0 8-10 ? * * *)",
        "rate(1 hour)",
        "now",
    ],
)
def test_other_expressions_are_refused(expression: str) -> None:
    with pytest.raises(times.BadTime):
        times.rhythm(expression)


def test_without_an_expression_a_schedule_is_daily() -> None:
    assert times.rhythm(None).hours == 24


@pytest.mark.parametrize(
    ("text", "hours"), [("-PT1H", -1), ("-P7D", -168), ("PT0H", 0), ("-PT30M", -0.5), ("P1DT2H", 26)]
)
def test_offsets(text: str, hours: float) -> None:
    assert times.offset(text) == hours * 3600


@pytest.mark.parametrize("text", ["P", "-P", "PT", "P1DT", "1H", "-PT1H ", "P1W", "--PT1H"])
def test_bad_offsets(text: str) -> None:
    with pytest.raises(times.BadTime):
        times.offset(text)


def test_the_window_is_the_period_before_or_by_offsets() -> None:
    scheduled = stamp("2026-11-23T10:00")
    hourly = times.rhythm("cron(0 * ? * * *)")
    daily = times.rhythm("cron(0 10 ? * * *)")
    assert times.window(scheduled, hourly, None, None) == (stamp("2026-11-23T09:00"), scheduled)
    assert times.window(scheduled, daily, None, None) == (stamp("2026-11-22T10:00"), scheduled)
    assert times.window(scheduled, daily, "-P2D", "-P1D") == (stamp("2026-11-21T10:00"), stamp("2026-11-22T10:00"))


def test_the_hours_of_a_window() -> None:
    assert times.hours(stamp("2026-11-23T22:30"), stamp("2026-11-24T01:00")) == [
        "2026/11/23/22",
        "2026/11/23/23",
        "2026/11/24/00",
    ]
    assert times.hours(stamp("2026-11-23T22:00"), stamp("2026-11-23T22:00:01")) == ["2026/11/23/22"]
