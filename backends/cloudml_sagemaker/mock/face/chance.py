"""Where moto's made-up values come from: within `seeded` they follow from a number, so that a replay repeats them."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_URANDOM = ("moto.s3.models", "moto.sts.utils", "moto.kms.models", "moto.kms.utils")
"""Modules that take bytes from the system, past moto's own source: ids of uploads, session tokens, keys."""

_THREAD = threading.local()
_FREE = random.Random()  # noqa: S311 - ids of a mock


def install() -> None:
    """Let moto's random numbers come from a source a thread, so that requests do not disturb one another's. Once."""
    from moto.moto_api._internal import mock_random

    if "random" in vars(mock_random):
        return
    # On the object, not on its class: `Random`'s other methods call these two.
    vars(mock_random).update(random=_random, getrandbits=_getrandbits)
    for name in _URANDOM:
        try:
            module = import_module(name)
        except ModuleNotFoundError:  # of another version of moto, or of an extra that is not there
            continue
        if getattr(module, "os", None) is os:
            vars(module)["os"] = _System()


def _random() -> float:
    return (_seeded() or _FREE).random()


def _getrandbits(bits: int) -> int:
    return (_seeded() or _FREE).getrandbits(bits)


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """On this thread, for the time being, chance follows from `number`."""
    before = _seeded()
    _THREAD.source = random.Random(number)  # noqa: S311 - repeatable is what it must be
    try:
        yield
    finally:
        _THREAD.source = before


def _seeded() -> random.Random | None:
    source: random.Random | None = getattr(_THREAD, "source", None)
    return source


class _System:
    """The module `os`, with bytes of chance that can be had again."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @staticmethod
    def urandom(size: int) -> bytes:
        source = _seeded()
        return source.randbytes(size) if source is not None else os.urandom(size)
