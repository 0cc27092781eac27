"""Work in the background: so many at a time, nothing lost, and nobody waits for it in vain."""

from __future__ import annotations

import threading

import pytest

from cloudml.mocks.clock import HeldClock
from cloudml.mocks.workers import Workers


def test_all_of_it_runs_so_many_at_a_time_and_a_held_clock_waits() -> None:
    clock = HeldClock()
    workers = Workers(clock, 3)
    lock, now, most, done = threading.Lock(), 0, 0, 0

    def call() -> None:
        nonlocal now, most, done
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1
            done += 1

    threads = [
        threading.Thread(target=lambda: [workers.submit(call, "a call") for _ in range(5)])  # type: ignore[func-returns-value]
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.settle(patience=30)
    assert (done, most) == (30, 3)
    workers.close()
    workers.join(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "mock-job"]


def test_a_call_that_fails_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    clock = HeldClock()
    workers = Workers(clock, 1)
    ran = threading.Event()

    def broken() -> None:
        raise ValueError("no")

    workers.submit(broken, "the broken one")
    workers.submit(ran.set, "the next one")
    assert clock.settle(patience=10)
    assert ran.is_set()
    assert "the broken one failed" in caplog.text
    workers.close()


def test_what_waits_when_it_closes_is_dropped_and_nobody_waits_for_it() -> None:
    clock = HeldClock()
    workers = Workers(clock, 1)
    begun, go, ran = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait(10)

    workers.submit(first, "first")
    assert begun.wait(10)
    workers.submit(ran.set, "second")
    workers.close()
    workers.submit(ran.set, "too late")
    go.set()
    workers.join(10)
    assert clock.settle(patience=5)
    assert not ran.is_set()
