"""A pipeline that goes on after a branch and tidies up at the end: guarded steps and a run condition."""

from __future__ import annotations

import cloudml as ml

OPERATIONS = ml.log_alert("operations")
TODAY = ml.run_date("%Y-%m-%d")


@ml.processing
def load(day: str) -> int:
    return len(day)


@ml.processing
def repair(rows: int) -> int:
    return rows + 1


@ml.processing
def report(rows: int) -> str:
    return f"{rows} rows"


@ml.pipeline
def nightly(day: ml.Param[str] = TODAY) -> None:
    rows = load(day)
    with ml.when(rows < 10, name="few") as few:
        repair(rows)
    report.options(after=[few])(rows)
    with ml.on_exit():
        ml.notify(OPERATIONS, "the night is over", name="tell")
