from __future__ import annotations

import asyncio
import threading

import pytest

from cloudml.serving.batcher import Batcher, run_batch
from cloudml.serving.problems import ModelFailed, RequestProblem

Rows = list[dict[str, int]]


class Held:
    """A model whose first prediction waits until it is let go; remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()

    def __call__(self, rows: Rows) -> list[int]:
        self.sizes.append(len(rows))
        if len(self.sizes) == 1:
            assert self.go.wait(10)
        return [row["x"] * 10 for row in rows]


def test_requests_that_arrive_during_a_prediction_become_one_batch_in_order() -> None:
    model = Held()

    async def scenario() -> list[list[int]]:
        batcher = Batcher(model)
        tasks = [asyncio.create_task(batcher.submit([{"x": 0}]))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batcher.submit([{"x": n}, {"x": -n}])) for n in (1, 2, 3)]
        await asyncio.sleep(0.05)
        model.go.set()
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(scenario()) == [[0], [10, -10], [20, -20], [30, -30]]
    assert model.sizes == [1, 6]


def test_a_batch_is_bounded_and_a_larger_request_runs_alone() -> None:
    model = Held()

    async def scenario() -> None:
        batcher = Batcher(model, max_rows=4)
        tasks = [asyncio.create_task(batcher.submit([{"x": 1}]))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batcher.submit([{"x": 1}] * size)) for size in (3, 9, 2, 2, 1)]
        await asyncio.sleep(0.05)
        model.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert model.sizes == [1, 3, 9, 4, 1]


def test_too_many_waiting_rows_are_refused_and_no_rows_cost_nothing() -> None:
    model = Held()

    async def scenario() -> None:
        batcher = Batcher(model, max_waiting=3)
        first = asyncio.create_task(batcher.submit([{"x": 1}]))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(batcher.submit([{"x": 1}] * 3))
        await asyncio.sleep(0)
        with pytest.raises(RequestProblem) as refused:
            await batcher.submit([{"x": 1}])
        assert refused.value.status == 503
        assert await batcher.submit([]) == []
        assert batcher.busy_for > 0
        model.go.set()
        await asyncio.gather(first, second)
        assert batcher.busy_for == 0

    asyncio.run(scenario())


def test_a_request_that_gave_up_is_not_predicted() -> None:
    model = Held()

    async def scenario() -> None:
        batcher = Batcher(model)
        first = asyncio.create_task(batcher.submit([{"x": 1}]))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.submit([{"x": 2}] * 7), 0.05)
        model.go.set()
        await first
        assert await batcher.submit([{"x": 3}]) == [30]

    asyncio.run(scenario())
    assert model.sizes == [1, 1]


def test_one_bad_request_does_not_fail_its_neighbours() -> None:
    def model(rows: Rows) -> list[int]:
        return [6 // row.pop("x") for row in rows]

    good, bad, other = run_batch(model, [[{"x": 1}], [{"x": 0}], [{"x": 2}, {"x": 3}]])
    assert good == [6]
    assert other == [3, 2]
    assert isinstance(bad, ModelFailed)
    assert "ZeroDivisionError" in bad.reason


@pytest.mark.parametrize("answer", [[1], [1, 2, 3]])
def test_another_number_of_answers_is_the_models_failure(answer: list[int]) -> None:
    (outcome,) = run_batch(lambda rows: answer, [[{"x": 1}, {"x": 2}]])
    assert isinstance(outcome, ModelFailed)
    assert f"{len(answer)} predictions for 2 rows" in outcome.reason


def test_a_model_that_exits_fails_its_request_only() -> None:
    def model(rows: Rows) -> list[int]:
        raise SystemExit(3)

    (outcome,) = run_batch(model, [[{"x": 1}]])
    assert isinstance(outcome, ModelFailed)
