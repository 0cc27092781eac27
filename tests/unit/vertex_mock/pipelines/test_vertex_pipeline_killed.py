"""A mock that is killed after any write to its store: started again, it ends the job, and makes no attempt twice."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from vertex_pipeline_bench import HERE, Bench, Spec, task

from cloudml.mocks.store import Store, Table

STRIDE = 11
"""Every so many writes a kill: one after each of them takes half a minute."""

ENDS = {
    "make": "SUCCEEDED",
    "gate": "SUCCEEDED",
    "gate.in": "SUCCEEDED",
    "off": "NOT_TRIGGERED",
    "each": "SUCCEEDED",
    "each.each-0": "SUCCEEDED",
    "each.each-1": "SUCCEEDED",
    "shaky": "FAILED",
    "last": "SUCCEEDED",
}


def pipeline() -> Spec:
    spec = Spec()
    spec.writer("make", "7", "NUMBER_INTEGER")
    spec.container("use", "ok", inputs={"x": "NUMBER_INTEGER"})
    spec.container("bad", "fail")
    spec.container("plain", "ok")
    spec.dag("gate", {"in": task("use", given={"x": "@x"})}, inputs={"x": "NUMBER_INTEGER"})
    given = {"x": ("make", "out")}
    iterator = {"itemInput": "x", "items": {"raw": "[1, 2]"}}
    return spec.main(
        {
            "make": task("make", cache=True),
            "gate": task("gate", given=given, condition="int(inputs.parameter_values['x']) > 5"),
            "off": task("gate", given=given, condition="int(inputs.parameter_values['x']) > 8"),
            "each": task("use", "make", parameterIterator=iterator, iteratorPolicy={"parallelismLimit": 1}),
            "shaky": task("bad", "make", retry={"maxRetryCount": 1, "backoffDuration": "1s"}),
            "last": task("plain", "gate", "each", "shaky", strategy="ALL_UPSTREAM_TASKS_COMPLETED"),
        }
    )


def finished(bench: Bench, name: str) -> dict[str, Any]:
    for _ in range(4):
        bench.world.clock.advance(1)
    return bench.call("GetPipelineJob", name=name)


def states(job: dict[str, Any]) -> dict[str, str]:
    return {one["task_unique_name"]: one["state"] for one in job["job_detail"]["task_details"]}


def test_killed_after_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, Any, str, str | None]] = []
    write = Store.write

    def note(store: Store, table: Table, name: str, document: dict[str, Any] | None) -> None:
        written.append((table.kind, table.scope, name, None if document is None else json.dumps(document)))
        write(store, table, name, document)

    (tmp_path / "first").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", note)
        bench = Bench(tmp_path / "first", patch)
        bench.images["ok"] = lambda *_: 0
        name = bench.submit(pipeline())
        assert states(finished(bench, name)) == ENDS
        bench.close()
    created = next(
        number for number, row in enumerate(written) if row[0] == "PipelineJob" and '"state"' in (row[3] or "")
    )
    for number in range(created + 1, len(written), STRIDE):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "first" / "gcs", folder / "gcs")
        _replay(folder, written[:number])
        with monkeypatch.context() as patch:
            bench = Bench(folder, patch)
            bench.images["ok"] = lambda *_: 0
            bench.resume_jobs()
            job = finished(bench, name)
            assert states(job) == ENDS, number
            assert job["state"] == "PIPELINE_STATE_FAILED", number
            shown = Counter(row["display_name"] for row in bench.world.table("CustomJob", HERE))
            # One attempt each, and two of the task with a retry.
            assert set(shown.values()) == {1} and len(shown) == 7, (number, shown)
            bench.close()


def _replay(folder: Path, written: list[tuple[str, Any, str, str | None]]) -> None:
    store = Store(folder / "state.db")
    for kind, scope, name, text in written:
        table = store.table(kind, scope)
        if text is None:
            table.delete(name)
        else:
            table.put(name, json.loads(text))
    store.close()
