"""Two runs at once, clocks that go back, odd paths, and nothing at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from worlds import CHAIN, SUM, Make, one_step, outcome, task

from cloudml_local.state import journal

if TYPE_CHECKING:
    import pytest


def test_two_runs_at_once_in_a_new_project_both_succeed(make: Make) -> None:
    world = make(CHAIN)
    world.resources()
    drivers = [world.spawn() for _ in range(3)]
    answers = [driver.communicate(timeout=60) for driver in drivers]
    assert [out.strip() for out, _ in answers] == ["succeeded"] * 3, answers
    with world.session() as session:
        records = [session.runs.get(one.id) for one in session.runs.list()]
        assert len({record.id for record in records}) == 3
        assert not session.collect(100, True, True).corrupt
    assert outcome(records[0]) == outcome(records[1]) == outcome(records[2])


def test_a_clock_that_was_set_back_reuses_and_decides_nothing_wrong(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(one_step("return 7", '@ml.processing(cache="1h")'))
    assert world.run().status == "succeeded"
    year = 365 * 86400
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.journal.time.time", lambda: real() - year)
        patch.setattr(journal, "now", lambda: "2001-01-01T00:00:00.000+00:00")
        past = world.run()
        assert (past.status, task(past).status) == ("succeeded", "cached")
        assert past.created_at.startswith("2001")
    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.journal.time.time", lambda: real() + year)
        assert task(world.run()).status == "succeeded", "an hour has passed: it is computed again"
    with world.session() as session:
        ids = [one.id for one in session.runs.list()]
    assert ids == ["pipeline-3", "pipeline-2", "pipeline-1"], "in order of start"


def test_a_path_with_spaces_and_letters_of_all_kinds(make: Make) -> None:
    world = make(CHAIN, "Příliš žluťoučký kůň 'n\" $HOME %20 データ")
    record = world.run()
    assert record.status == "succeeded"
    assert task(record, "third").values == {"output": SUM}
    assert world.run().status == "succeeded"


def test_an_empty_data_set_keeps_its_columns(make: Make) -> None:
    source = """
import polars as pl

@ml.processing
def extract() -> pl.DataFrame:
    return pl.DataFrame(schema={"customer": pl.Int64, "spent": pl.Float64, "at": pl.Datetime("us")})

@ml.processing
def describe(table: pl.DataFrame) -> dict[str, str]:
    return {"rows": str(table.height), **{name: str(kind) for name, kind in table.schema.items()}}

@ml.processing
def regions() -> list[str]:
    return []

@ml.processing
def sell(region: str) -> int:
    return 1

@ml.processing
def total(sales: list[int]) -> int:
    return sum(sales)

@ml.pipeline
def pipeline() -> None:
    describe(extract())
    with ml.map(regions()) as region:
        sold = sell(region)
    total(ml.collect(sold))
"""
    record = make(source).run()
    assert record.status == "succeeded"
    wanted = {"rows": "0", "customer": "Int64", "spent": "Float64", "at": "Datetime(time_unit='us', time_zone=None)"}
    assert task(record, "describe").values == {"output": wanted}
    assert task(record, "total").values == {"output": 0}
