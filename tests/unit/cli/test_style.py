"""Small pieces of text: durations, sizes, tables, what may reach a terminal."""

from __future__ import annotations

import io

import pytest

from cloudml.cli.style import Style, cells, clean, duration, grid, number, one_line, pad, size, style_of, when

PLAIN = Style()
FULL = Style(colour=True, unicode=True)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0, "0.00s"),
        (0.354, "0.35s"),
        (0.9999, "1.0s"),
        (1.24, "1.2s"),
        (59.94, "59.9s"),
        (59.97, "1m 00s"),
        (125, "2m 05s"),
        (3599.6, "1h 00m"),
        (7384, "2h 03m"),
        (-0.1, "0.00s"),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.0, "3"),
        (0.84123, "0.8412"),
        (-2.0, "-2"),
        (1234567.0, "1234567"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_number(value: float, shown: str) -> None:
    assert number(value) == shown


def test_control_characters_are_replaced_and_lines_kept() -> None:
    assert clean("a\x1b[31mb\tc\nd\r\x07\x9b") == "a�[31mb\tc\nd���"


def test_one_line_joins_and_cuts() -> None:
    assert one_line("a\n  b\n\nc") == "a b c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_wide_characters_take_two_columns_and_accents_none() -> None:
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
    assert cells(FULL.paint("abc", "red")) == 3
    assert pad("日本", 6) == "日本  "


def test_grid_aligns_by_what_is_seen() -> None:
    shown = grid([("日本", "1"), (FULL.paint("a", "red"), "2")], ("X", "Y")).splitlines()
    assert [line.rstrip()[-1] for line in shown] == ["Y", "1", "2"]
    assert {cells(line.rstrip()) for line in shown} == {7}


def test_colours_only_where_asked() -> None:
    assert PLAIN.paint("a", "red") == "a"
    assert FULL.paint("a", "red", "bold") == "\x1b[31;1ma\x1b[0m"
    assert PLAIN.sign("succeeded").isascii()
    assert FULL.sign("running", 0) != FULL.sign("running", 1)


@pytest.mark.parametrize(("done", "total", "full"), [(0, 24, 0), (12, 24, 8), (24, 24, 16), (30, 24, 16), (0, 0, 0)])
def test_bar(done: int, total: int, full: int) -> None:
    shown = PLAIN.bar(done, total)
    assert (shown.count("#"), len(shown)) == (full, 16)


class Terminal(io.StringIO):
    encoding = "UTF-8"

    def isatty(self) -> bool:
        return True


def test_style_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert style_of(Terminal()) == Style(colour=True, unicode=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert style_of(Terminal()) == Style(colour=False, unicode=True)
    assert style_of(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) == PLAIN


def test_moments_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Prague")
    time.tzset()
    try:
        assert when("2024-07-01T10:00:00+00:00") == "2024-07-01 12:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert when(None) == ""
    assert when("once") == "once"
