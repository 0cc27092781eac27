"""Ending a router from outside, and finding out whether one listens."""

from __future__ import annotations

import time

from cloudml.errors import StateError
from cloudml_local.endpoint import control, faults, processes
from cloudml_local.endpoint.paths import EndpointPaths
from cloudml_local.endpoint.record import Record, read_record

ASK_SECONDS = 5.0
STOP_SECONDS = 30.0


def readable(paths: EndpointPaths) -> Record | None:
    """The record, or None when there is none that can be read."""
    try:
        return read_record(paths)
    except StateError:
        return None


def ask_to_stop(paths: EndpointPaths) -> None:
    """Tell the router, if one listens, to drain and end."""
    record = readable(paths)
    path = record.control if record is not None and record.belongs_to(paths) else str(paths.control)
    try:
        control.ask(path, "stop", timeout=ASK_SECONDS)
    except (control.ControlFailed, control.RouterRefused):
        # Not there, or not listening: whoever holds the lock next ends it by its number.
        return


def end_router(paths: EndpointPaths, record: Record) -> None:
    """Ask it, wait for it, and kill it if it does not go; its model servers go with it. Raises StateError (CML524)."""
    assert record.pid is not None
    ask_to_stop(paths)
    if not processes.wait_gone(record.pid, record.start_time, STOP_SECONDS):
        processes.kill(record.pid, record.start_time)
        if processes.is_running(record.pid, record.start_time):
            raise faults.router_failed(record.name, f"cannot be ended (process {record.pid})")


def wait_silent(socket_path: str) -> None:
    """Without a record nobody knows the router's number: it has gone when its socket answers no more."""
    deadline = time.monotonic() + STOP_SECONDS
    while answers(socket_path) and time.monotonic() < deadline:
        time.sleep(0.05)


def answers(socket_path: str, seconds: float = ASK_SECONDS) -> bool:
    """Does a router answer on this control socket within `seconds`?"""
    try:
        control.ask(socket_path, "status", timeout=seconds)
    except (control.ControlFailed, control.RouterRefused):
        return False
    return True
