"""Requests side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

PARALLEL = 16
"""Requests at once; what clouds allow for reads and lists is more."""

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in order. The first error ends it."""
    every = list(items)
    if len(every) < 2:
        return [work(item) for item in every]
    with ThreadPoolExecutor(min(PARALLEL, len(every)), thread_name_prefix="resources") as pool:
        return list(pool.map(work, every))
