"""How often schedules fire: counted by hand, and by a calendar."""

from __future__ import annotations

import pytest

from cloudml_sagemaker.occurrences import MONTH, monthly


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("rate(1 day)", MONTH),
        ("rate(12 hours)", 2 * MONTH),
        ("rate(15 minutes)", 96 * MONTH),
        ("cron(0 2 ? * MON *)", MONTH / 7),
        ("cron(30 6 ? * MON,TUE,WED,THU,FRI *)", MONTH * 5 / 7),
        ("cron(30 6 ? * MON-FRI *)", MONTH * 5 / 7),
        ("cron(30 6 ? * FRI-MON *)", MONTH * 4 / 7),
        ("cron(0/15 * * * ? *)", 4 * 24 * MONTH),
        ("cron(5/20 8-18/5 * * ? *)", 3 * 3 * MONTH),
        ("cron(0 * ? * * *)", 24 * MONTH),
        ("cron(0 0/6 ? * * *)", 4 * MONTH),
        ("cron(0 0 1 * ? *)", 1.0),
        ("cron(30 6 1,15 * ? *)", 2.0),
        ("cron(0 0 31 * ? *)", 7 / 12),
        ("cron(0 0 29-31 FEB,APR ? *)", 2 / 12),
        ("cron(0 0 * JUN-AUG ? *)", MONTH / 4),
    ],
)
def test_times_a_month(expression: str, times: float) -> None:
    assert monthly(expression) == pytest.approx(times)


@pytest.mark.parametrize(
    "expression", ["at(2026-01-01T00:00:00)", "cron(0 0 L * ? *)", "cron(0 0 ? * 6#3 *)", "cron(61 0 * * ? *)", ""]
)
def test_what_is_not_understood_is_no_number(expression: str) -> None:
    assert monthly(expression) is None
