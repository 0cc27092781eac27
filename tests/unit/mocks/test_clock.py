"""The two clocks: order, cancelling, waiting for real work."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cloudml.mocks import clock as clocks
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


def test_time_does_not_run_back() -> None:
    clock = HeldClock(START)
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="back"):
            clock.advance(seconds)
    assert clock.now() == START


def test_a_start_without_a_zone_is_utc() -> None:
    assert HeldClock(START.replace(tzinfo=None)).now() == START
    assert HeldClock(START.astimezone(timezone(timedelta(hours=9)))).now().utcoffset() == timedelta(0)


def test_work_that_hangs_is_not_waited_for_at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_GRACE", 0.01)
    clock = HeldClock(START)
    calls: list[int] = []
    for number in range(5):
        clock.call_in(1 + number, lambda: calls.append(1))
    begun = time.monotonic()
    with clock.begin():
        clock.advance(10, patience=0.5)
    # The patience once; the patience for each of five calls and the end would be three seconds.
    assert 0.5 <= time.monotonic() - begun < 2.5
    assert len(calls) == 5


def test_work_that_a_call_ends_is_waited_for_though_it_hung_before() -> None:
    clock = HeldClock(START)
    work = clock.begin()
    ended: list[str] = []

    def end() -> None:
        ended.append("told")
        work.end()

    clock.call_in(60, lambda: threading.Timer(0.2, end).start())
    clock.advance(60, patience=0.3)
    assert ended == ["told"]


def test_cancelled_calls_are_forgotten_long_before_they_are_due() -> None:
    class Held:
        def __call__(self) -> None: ...

    clock = HeldClock(START)
    held = Held()
    seen = weakref.ref(held)
    clock.call_in(86400, held).cancel()
    del held
    gc.collect()
    assert seen() is None
    kept = [clock.call_in(10, lambda: None) for _ in range(3)]
    timers = [weakref.ref(timer) for timer in kept]
    for _ in range(5000):
        timer = clock.call_in(86400, lambda: None)
        timers.append(weakref.ref(timer))
        timer.cancel()
    del timer, kept
    gc.collect()
    assert sum(timer() is not None for timer in timers) < 1000
    assert all(timer() is not None for timer in timers[:3])


def test_threads_that_advance_at_once_take_turns() -> None:
    clock = HeldClock(START)
    times: list[datetime] = []

    def tick() -> None:
        times.append(clock.now())
        clock.call_in(1, tick)

    clock.call_in(1, tick)

    def work() -> None:
        for _ in range(20):
            clock.begin().end()
            clock.advance(5)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == START + timedelta(seconds=1000)
    assert times == [START + timedelta(seconds=n) for n in range(1, 1001)]
