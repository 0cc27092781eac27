"""Ctrl-C, SIGTERM, stop, and the death of the driver."""

from __future__ import annotations

import signal
import time

import pytest
from worlds import Make, one_step, task, wait_until

from cloudml.errors import Refused
from cloudml_local.engine import pool

SLOW = """
@ml.processing
def quick() -> int:
    count("quick")
    return 1

@ml.processing
def slow(value: int) -> int:
    try:
        count("slow")  # inside, so that whoever waits for it sends the signal into the block
        if not (SIDE / "patience").exists():
            time.sleep(60)
    finally:
        if not (SIDE / "patience").exists():
            count("cleaned")
    return value + 1

@ml.pipeline
def pipeline() -> None:
    slow(quick())
    with ml.on_exit():
        last()

@ml.processing
def last() -> int:
    count("last")
    return 0
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_which_resumes(make: Make, number: signal.Signals) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    driver.send_signal(number)
    out, err = driver.communicate(timeout=20)
    assert out.strip() == "stopped", err
    assert world.count("cleaned") == 1, "finally blocks of the step run"
    assert world.gone(), world.processes()
    record = world.get()
    assert [task(record, name).status for name in ("quick", "slow", "last")] == ["succeeded", "stopped", "pending"]
    (world.root / "side" / "patience").touch()
    resumed = world.resume()
    assert resumed.status == "succeeded"
    assert (world.count("quick"), task(resumed, "slow").values) == (1, {"output": 2})


def test_the_second_signal_does_not_wait(make: Make) -> None:
    stubborn = SLOW.replace("    try:\n", "    import signal\n    signal.signal(15, signal.SIG_IGN)\n    try:\n")
    world = make(stubborn)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert driver.poll() is None, "the first signal leaves time to end"
    begun = time.monotonic()
    driver.send_signal(signal.SIGINT)
    assert driver.communicate(timeout=20)[0].strip() == "stopped"
    assert time.monotonic() - begun < pool.GRACE - 2
    assert world.gone(), world.processes()


def test_stop_from_another_process_waits_until_the_run_has_stopped(make: Make) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with world.session() as session:
        running = session.runs.get("last")
        assert (running.status, task(running, "slow").status) == ("running", "running")
        assert [one.status for one in session.runs.list()] == ["running"]
        assert not session.collect(100, True, False).objects
        assert session.runs.stop("last").status == "stopped"
        with pytest.raises(Refused):
            session.runs.approve("last", "slow", "me", "because")
    assert driver.communicate(timeout=20)[0].strip() == "stopped"


def test_a_run_that_is_driven_cannot_be_resumed_beside_its_driver(make: Make) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with pytest.raises(Refused, match=str(driver.pid)):
        world.resume()
    driver.kill()
    driver.communicate(timeout=20)
    assert world.gone(), world.processes()
    assert world.get().status == "interrupted"
    assert task(world.get(), "slow").status == "interrupted"


def test_a_stopped_run_keeps_a_result_that_came_in_time(make: Make) -> None:
    """The signal reaches a step whose work is done already."""
    body = """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: None)
deadline = time.monotonic() + 20
count("ready")
while not (SIDE / "go").exists() and time.monotonic() < deadline:
    time.sleep(0.02)
return 5
"""
    world = make(one_step(body))
    world.resources()
    driver = world.spawn()
    world.await_side("ready")
    driver.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    (world.root / "side" / "go").touch()
    assert driver.communicate(timeout=20)[0].strip() == "stopped"
    assert world.resume().status == "succeeded"
    assert world.count("work") == 1


def test_logs_follow_a_running_step(make: Make) -> None:
    world = make(SLOW.replace('count("slow")', 'print("begun", flush=True); count("slow")'))
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with world.session() as session:
        lines = session.runs.logs("last", "slow", follow=True)
        assert next(lines) == "begun"
        driver.send_signal(signal.SIGTERM)
        assert not any("begun" in line for line in lines), "following ends with the run"
    driver.communicate(timeout=20)
    assert wait_until(lambda: world.get().status == "stopped", 5)
