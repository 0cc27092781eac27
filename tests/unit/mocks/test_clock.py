"""The two clocks: order, cancelling, waiting for real work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cloudml.mocks.clock import HeldClock, RealClock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def real() -> Iterator[RealClock]:
    clock = RealClock()
    yield clock
    clock.close()


def test_a_held_clock_stands_still_until_it_is_advanced() -> None:
    clock = HeldClock(START)
    seen: list[datetime] = []
    clock.call_in(60, lambda: seen.append(clock.now()))
    time.sleep(0.01)
    assert clock.now() == START
    assert seen == []
    assert clock.advance(59.5) == START + timedelta(seconds=59.5)
    assert seen == []
    clock.advance(0.5)
    assert seen == [START + timedelta(minutes=1)]


def test_calls_fall_due_in_order_each_at_its_own_time() -> None:
    clock = HeldClock(START)
    seen: list[tuple[str, datetime]] = []
    clock.call_in(20, lambda: seen.append(("b", clock.now())))
    clock.call_in(10, lambda: seen.append(("a", clock.now())))
    clock.call_in(20, lambda: seen.append(("c", clock.now())))
    clock.advance(100)
    assert seen == [
        ("a", START + timedelta(seconds=10)),
        ("b", START + timedelta(seconds=20)),
        ("c", START + timedelta(seconds=20)),
    ]
    assert clock.now() == START + timedelta(seconds=100)


def test_a_call_that_sets_another_is_followed_within_one_advance() -> None:
    clock = HeldClock(START)
    ticks: list[datetime] = []

    def tick() -> None:
        ticks.append(clock.now())
        clock.call_in(3600, tick)

    clock.call_in(3600, tick)
    clock.advance(24 * 3600)
    assert len(ticks) == 24
    assert ticks[-1] == START + timedelta(days=1)


def test_a_cancelled_call_is_not_made() -> None:
    clock = HeldClock(START)
    seen: list[int] = []
    clock.call_in(1, lambda: seen.append(1)).cancel()
    clock.advance(5)
    assert seen == []


def test_a_call_in_the_past_is_made_at_the_next_moment_and_time_does_not_run_back() -> None:
    clock = HeldClock(START)
    seen: list[datetime] = []
    clock.call_at(START - timedelta(days=1), lambda: seen.append(clock.now()))
    clock.advance(0)
    assert seen == [START]


def test_a_call_that_fails_does_not_stop_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    clock = HeldClock(START)
    seen: list[int] = []

    def broken() -> None:
        raise ValueError("no")

    clock.call_in(1, broken, "broken one")
    clock.call_in(2, lambda: seen.append(1))
    clock.advance(3)
    assert seen == [1]
    assert "broken one" in caplog.text


def test_real_work_holds_a_held_clock() -> None:
    clock = HeldClock(START)
    order: list[str] = []
    work = clock.begin()

    def finish() -> None:
        order.append("work")
        clock.call_in(5, lambda: order.append("after work"))
        work.end()
        work.end()

    clock.call_in(10, lambda: order.append("later"))
    thread = threading.Timer(0.05, finish)
    thread.start()
    clock.advance(20)
    thread.join()
    assert order == ["work", "after work", "later"]


def test_work_that_hangs_holds_time_only_for_so_long() -> None:
    clock = HeldClock(START)
    with clock.begin():
        assert clock.settle(patience=0.01) is False
        assert clock.advance(5, patience=0.01) == START + timedelta(seconds=5)
    assert clock.settle(patience=0.01) is True


def test_a_real_clock_calls_when_it_is_time(real: RealClock) -> None:
    order: list[str] = []
    done = threading.Event()
    real.call_in(0.06, lambda: (order.append("second"), done.set()))  # type: ignore[func-returns-value]
    real.call_in(0.02, lambda: order.append("first"))
    real.call_in(0.01, lambda: order.append("never")).cancel()
    assert done.wait(5)
    assert order == ["first", "second"]
    assert abs((real.now() - datetime.now(UTC)).total_seconds()) < 1


def test_a_closed_clock_makes_no_calls() -> None:
    clock = RealClock()
    seen: list[int] = []
    clock.call_in(0.02, lambda: seen.append(1))
    clock.close()
    time.sleep(0.05)
    assert seen == []
