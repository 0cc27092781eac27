"""AWS's schedule expressions: its documented examples, daylight saving, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from cloudml_sagemaker.mock.events import cron, expressions, schedules


def times(expression: str, start: str, count: int) -> list[str]:
    found = cron.parse(expression).after(datetime.fromisoformat(start))
    return [moment.strftime("%Y-%m-%d %H:%M") for moment in islice(found, count)]


# The first nine are the table of the EventBridge user guide ("Cron expressions"), with what it says of each; the days
# were read off a calendar.
@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("0 10 * * ? *", "2026-11-23T10:00", ["2026-11-24 10:00", "2026-11-25 10:00"]),
        ("15 12 * * ? *", "2026-11-23T10:00", ["2026-11-23 12:15", "2026-11-24 12:15"]),
        ("0 18 ? * MON-FRI *", "2026-11-27T18:00", ["2026-11-30 18:00", "2026-12-01 18:00"]),
        ("0 8 1 * ? *", "2026-11-23T10:00", ["2026-12-01 08:00", "2027-01-01 08:00"]),
        ("0/15 * * * ? *", "2026-11-23T10:50", ["2026-11-23 11:00", "2026-11-23 11:15"]),
        ("0/10 * ? * MON-FRI *", "2026-11-27T23:49", ["2026-11-27 23:50", "2026-11-30 00:00"]),
        ("0/5 8-17 ? * MON-FRI *", "2026-11-23T17:50", ["2026-11-23 17:55", "2026-11-24 08:00"]),
        ("0/30 20-2 ? * MON-FRI *", "2026-11-23T02:30", ["2026-11-23 20:00", "2026-11-23 20:30"]),
        ("15 10 ? * 6L 2022-2023", "2022-01-01T00:00", ["2022-01-28 10:15", "2022-02-25 10:15"]),
        ("0 9 ? * 3#2 *", "2026-11-01T00:00", ["2026-11-10 09:00", "2026-12-08 09:00"]),
        ("0 9 ? * TUE#5 *", "2026-11-01T00:00", ["2026-12-29 09:00", "2027-03-30 09:00"]),
        ("0 0 L * ? *", "2027-02-01T00:00", ["2027-02-28 00:00", "2027-03-31 00:00"]),
        ("0 0 L-2 2 ? *", "2027-01-01T00:00", ["2027-02-26 00:00", "2028-02-27 00:00"]),
        # 1 August 2026 is a Saturday, 31 October 2026 too, 1 November a Sunday.
        ("0 0 1W * ? *", "2026-07-31T00:00", ["2026-08-03 00:00", "2026-09-01 00:00"]),
        ("0 0 31W * ? *", "2026-10-01T00:00", ["2026-10-30 00:00", "2026-12-31 00:00"]),
        ("0 0 LW * ? *", "2026-10-01T00:00", ["2026-10-30 00:00", "2026-11-30 00:00"]),
        ("0 0 ? * L *", "2026-11-23T00:00", ["2026-11-28 00:00", "2026-12-05 00:00"]),
        ("0 0 ? * 1 *", "2026-11-23T00:00", ["2026-11-29 00:00", "2026-12-06 00:00"]),
        ("0 0 29 2 ? *", "2026-01-01T00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("5,35 14 ? JAN,JUN SAT 2027", "2026-01-01T00:00", ["2027-01-02 14:05", "2027-01-02 14:35"]),
    ],
)
def test_documented_cron_expressions(expression: str, start: str, expected: list[str]) -> None:
    assert times(expression, start, 2) == expected


def test_a_night_of_the_documented_range_over_midnight() -> None:
    # "from 12:00 AM to 2:00 AM on Monday morning": the hours are those of the day itself.
    assert times("0 20-2 ? * MON *", "2026-11-22T23:59", 8) == [
        *(f"2026-11-23 {hour:02}:00" for hour in (0, 1, 2, 20, 21, 22, 23)),
        "2026-11-30 00:00",
    ]


def test_an_expression_ends_with_its_last_year() -> None:
    assert list(cron.parse("0 0 1 1 ? 2026").after(datetime(2026, 1, 1))) == []


@pytest.mark.parametrize(
    "text",
    [
        "rate(5 minute)",
        "rate(1 minutes)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(5 seconds)",
        "rate(5 weeks)",
        "rate(5minutes)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 1 * MON *)",
        "cron(0 10 * * ?)",
        "cron(0 10 * * ? * *)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 0 * ? *)",
        "cron(0 10 * 13 ? *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 ? * MON#6 *)",
        "cron(0 10 ? * FOO *)",
        "cron(0 10 * * ? 1969)",
        "cron(0 10 * * ? 2030-2026)",
        "cron(0 10/0 * * ? *)",
        "cron(0 10 32W * ? *)",
        "cron(a b c d e f)",
        "whenever",
        "",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    assert schedules.refuse(text) == "Parameter ScheduleExpression is not valid."
    assert schedules.refuse(text, "UTC", scheduler=True) == f"Invalid Schedule Expression {text}."


def test_at_is_known_to_scheduler_only() -> None:
    assert schedules.refuse("at(2026-11-23T10:00:00)", scheduler=True) is None
    assert schedules.refuse("at(2026-11-23T10:00:00)") == "Parameter ScheduleExpression is not valid."
    assert schedules.refuse("at(2026-13-23T10:00:00)", scheduler=True) is not None
    assert schedules.refuse("at(2026-11-23 10:00)", scheduler=True) is not None


def test_an_unknown_time_zone_is_refused() -> None:
    assert schedules.refuse("rate(1 hour)", "Europe/Atlantis", scheduler=True) is not None
    assert schedules.refuse("rate(1 hour)", "../../etc/passwd", scheduler=True) is not None
    assert schedules.refuse("rate(1 hour)", "Europe/Prague", scheduler=True) is None


def fires(text: str, zone: str, start: str, count: int, anchor: str | None = None) -> list[str]:
    expression = expressions.parse(text, zone)
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    base = datetime.fromisoformat(anchor).replace(tzinfo=UTC) if anchor else moment
    found: list[str] = []
    while len(found) < count:
        following = expression.next(moment, base)
        if following is None:
            break
        moment = following
        found.append(moment.strftime("%m-%d %H:%M"))
    return found


def test_wall_clock_time_follows_daylight_saving() -> None:
    # Prague: UTC+1 until 29 March 2026 02:00, then UTC+2.
    assert fires("cron(0 8 * * ? *)", "Europe/Prague", "2026-03-27T12:00", 3) == [
        "03-28 07:00",
        "03-29 06:00",
        "03-30 06:00",
    ]


def test_a_time_that_spring_skips_is_skipped() -> None:
    assert fires("cron(30 2 * * ? *)", "Europe/Prague", "2026-03-28T00:00", 2) == ["03-28 01:30", "03-30 00:30"]


def test_a_time_that_autumn_repeats_comes_once() -> None:
    # 25 October 2026: 03:00 summer time becomes 02:00.
    assert fires("cron(30 2 * * ? *)", "Europe/Prague", "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]
    assert fires("cron(0 * * * ? *)", "Europe/Prague", "2026-10-24T23:30", 3) == [
        "10-25 00:00",
        "10-25 02:00",
        "10-25 03:00",
    ]


def test_one_time_schedules_are_in_their_zone() -> None:
    assert fires("at(2026-07-01T12:00:00)", "America/New_York", "2026-06-01T00:00", 5) == ["07-01 16:00"]


def test_a_rate_counts_from_its_anchor() -> None:
    found = fires("rate(6 hours)", "UTC", "2026-01-01T00:00", 3, anchor="2026-01-01T05:00")
    assert found == ["01-01 05:00", "01-01 11:00", "01-01 17:00"]
    expression = expressions.parse("rate(7 days)")
    anchor = datetime(2026, 1, 1, tzinfo=UTC)
    assert expression.next(anchor + timedelta(days=30), anchor) == anchor + timedelta(days=35)
