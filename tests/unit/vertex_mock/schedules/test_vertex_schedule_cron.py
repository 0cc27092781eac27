"""Cron with time zones. Expected times are those of the IANA rules, computed by the standard library's zoneinfo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.schedules.cron import parse


def at(*parts: int, zone: str = "UTC") -> float:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("prefix", ["TZ=America/New_York ", "CRON_TZ=America/New_York "])
def test_a_zone_before_the_fields(prefix: str) -> None:
    found = parse(f"{prefix}30 9 * * *").next(at(2026, 7, 1))
    assert found == at(2026, 7, 1, 9, 30, zone="America/New_York") == at(2026, 7, 1, 13, 30)


def test_without_a_zone_it_is_utc() -> None:
    assert parse("0 3 * * 1").next(at(2026, 11, 24)) == at(2026, 11, 30, 3)


def test_the_local_time_stays_when_clocks_change() -> None:
    daily = parse("TZ=Europe/Berlin 0 12 * * *")
    found = list(islice(daily.after(at(2026, 3, 27, 12)), 3))
    assert found == [at(2026, 3, day, 12, zone="Europe/Berlin") for day in (28, 29, 30)]
    assert found[1] - found[0] == timedelta(hours=23).total_seconds()


def test_an_hour_that_comes_twice_runs_a_fixed_time_once() -> None:
    # 25 October 2026, 03:00 CEST: clocks go back to 02:00 CET, so that 02:30 comes twice.
    found = parse("TZ=Europe/Berlin 30 2 * * *").between(at(2026, 10, 24, 12), at(2026, 10, 26, 0))
    assert len(found) == 1


def test_an_hour_that_is_left_out_runs_once_all_the_same() -> None:
    # 29 March 2026, 02:00 CET: clocks go on to 03:00 CEST, and there is no 02:30.
    found = parse("TZ=Europe/Berlin 30 2 * * *").between(at(2026, 3, 28, 12), at(2026, 3, 29, 12))
    assert len(found) == 1 and at(2026, 3, 29, 1) <= found[0] <= at(2026, 3, 29, 2)


def test_every_hour_is_every_hour_whatever_the_clocks_do() -> None:
    found = parse("TZ=Europe/Berlin 0 * * * *").between(at(2026, 10, 24, 22), at(2026, 10, 25, 22))
    steps = [later - earlier for earlier, later in pairwise(found)]
    assert set(steps) == {3600.0}


def test_between_has_its_end_and_not_its_beginning() -> None:
    hourly = parse("0 * * * *")
    assert hourly.between(at(2026, 1, 1), at(2026, 1, 1, 2)) == [at(2026, 1, 1, 1), at(2026, 1, 1, 2)]


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "61 * * * *", "TZ=Nowhere/City 0 0 * * *", "TZ=../etc/passwd 0 0 * * *", "0 0 31 2 *", "@daily"],
)
def test_refused(text: str) -> None:
    with pytest.raises(GoogleError) as refused:
        parse(text)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_a_sunday_has_two_numbers() -> None:
    begin = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
    assert parse("0 0 * * 0").next(begin) == parse("0 0 * * 7").next(begin) == at(2026, 11, 29)
