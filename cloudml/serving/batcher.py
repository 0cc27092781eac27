"""Micro-batching without a timer: a batch is what arrived while the previous prediction ran.

One worker thread holds the model, so a prediction never blocks the event loop and health stays instant. A lone request
waits for nobody. When a batch fails its members are tried one by one: one client's rows must not fail its neighbours'.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cloudml.serving.problems import ModelFailed, RequestProblem
from cloudml.serving.schema import Row

Predict: TypeAlias = Callable[[list[Row]], Sequence[Any]]
Outcome: TypeAlias = "list[Any] | Exception"
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Member:
    rows: list[Row]
    future: asyncio.Future[list[Any]]


class Batcher:
    """Runs `predict` in one thread on merged requests of at most `max_rows` rows (a larger request runs alone).

    More than `max_waiting` rows in the queue are refused with 503: waiting longer helps nobody.
    """

    def __init__(self, predict: Predict, *, max_rows: int = 1024, max_waiting: int = 200_000) -> None:
        self._predict = predict
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._queue: deque[_Member] = deque()
        self._waiting = 0
        self._worker: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._began: float | None = None

    @property
    def busy_for(self) -> float:
        """Seconds that the current prediction has been running; 0 when idle."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    async def submit(self, rows: list[Row]) -> list[Any]:
        """One prediction a row. Raises ModelFailed, or RequestProblem 503 when the queue is full."""
        if not rows:
            return []
        if self._waiting + len(rows) > self._max_waiting and self._waiting:
            raise RequestProblem(503, "too many rows are waiting for the model; try again", retry_after=1)
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Member(rows, future))
        self._waiting += len(rows)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def run(self, task: Callable[[], Result]) -> Result:
        """Run `task` in the model's own thread: what it opens there can be used by every later prediction."""
        self._began = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, task)
        finally:
            self._began = None

    def close(self) -> None:
        """Let the worker thread go, without waiting for a prediction that hangs."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            members = self._take()
            if not members:
                continue
            self._began = time.monotonic()
            outcomes: Sequence[Outcome]
            try:
                outcomes = await loop.run_in_executor(
                    self._executor, run_batch, self._predict, [member.rows for member in members]
                )
            except RuntimeError:
                # The thread was let go: the process is on its way out.
                outcomes = [RequestProblem(503, "the server is stopping", retry_after=1)] * len(members)
            finally:
                self._began = None
            for member, outcome in zip(members, outcomes, strict=True):
                _settle(member.future, outcome)

    def _take(self) -> list[_Member]:
        members: list[_Member] = []
        size = 0
        while self._queue and (not members or size + len(self._queue[0].rows) <= self._max_rows):
            member = self._queue.popleft()
            self._waiting -= len(member.rows)
            # A request that timed out in the queue is not worth a prediction.
            if not member.future.done():
                members.append(member)
                size += len(member.rows)
        return members


def run_batch(predict: Predict, requests: Sequence[list[Row]]) -> list[Outcome]:
    """One outcome for each request: its predictions, or why there are none."""
    if len(requests) > 1:
        # Copies: a predictor that changes its rows and then raises must not spoil the second attempt.
        merged = [dict(row) for rows in requests for row in rows]
        try:
            return _split(_checked(predict, merged), requests)
        except Exception as error:  # noqa: BLE001 - whatever the model raises
            _log.warning("a batch of %d requests failed (%s); trying them one by one", len(requests), error)
    return [_attempt(predict, rows) for rows in requests]


def _attempt(predict: Predict, rows: list[Row]) -> Outcome:
    try:
        return _checked(predict, rows)
    except Exception as error:  # noqa: BLE001 - whatever the model raises
        return error


def _checked(predict: Predict, rows: list[Row]) -> list[Any]:
    expected = len(rows)
    try:
        values = list(predict(rows))
    except (Exception, SystemExit) as error:
        # SystemExit too: a model that calls sys.exit() fails one request, not the worker.
        raise ModelFailed(f"the model raised {type(error).__name__}") from error
    if len(values) != expected:
        raise ModelFailed(f"the model gave {len(values)} predictions for {expected} rows")
    return values


def _split(values: list[Any], requests: Sequence[list[Row]]) -> list[Outcome]:
    parts: list[Outcome] = []
    start = 0
    for rows in requests:
        parts.append(values[start : start + len(rows)])
        start += len(rows)
    return parts


def _settle(future: asyncio.Future[list[Any]], outcome: Outcome) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
