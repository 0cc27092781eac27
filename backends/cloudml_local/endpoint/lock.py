"""One change of an endpoint at a time, across processes and threads. The kernel frees the lock of a killed command."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cloudml_local.endpoint import faults
from cloudml_local.endpoint.paths import EndpointPaths

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(paths: EndpointPaths, seconds: float, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the endpoint's lock. Waits up to `seconds`, calling `on_wait` once; raises Refused (CML523) after that."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise faults.unusable_state(str(paths.lock), str(error)) from error
    try:
        _acquire(descriptor, paths.name, seconds, on_wait)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, name: str, seconds: float, on_wait: Callable[[], None] | None) -> None:
    deadline = time.monotonic() + seconds
    waited = False
    while not _try(descriptor):
        if time.monotonic() > deadline:
            raise faults.busy(name, seconds)
        if not waited and on_wait is not None:
            on_wait()
        waited = True
        time.sleep(_POLL_SECONDS)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
