"""`runs`, `show`, `logs`, `why`."""

from __future__ import annotations

import pytest
from cli_world import FAILED, VERSION, Invoke, World, record, task

from cloudml.backend.records import Explanation


def test_runs_lists_them(world: World, cloudml: Invoke) -> None:
    world.session.runs.records = [record(id="churn-2"), record("failed", id="churn-1", reason="features failed")]
    shown = cloudml("runs")
    assert shown.out.index("churn-2") < shown.out.index("churn-1")
    assert "features failed" in shown.out
    assert "2024-05-06 " in shown.out
    assert [entry["id"] for entry in cloudml("runs", "-n", "1", "-o", "json").json["runs"]] == ["churn-2"]


def test_runs_when_there_are_none(world: World, cloudml: Invoke) -> None:
    world.session.runs.records = []
    assert "no runs yet" in cloudml("runs").out
    assert cloudml("runs", "-o", "json").json["runs"] == []
    assert cloudml("show").code == 64


def test_show_has_tree_parameters_artifacts_and_models(world: World, cloudml: Invoke) -> None:
    shown = cloudml("show").out
    for text in (
        "extract",
        "succeeded",
        "1.2s",
        "auc 0.8412",
        "seed",
        "polars.DataFrame",
        "1.2 MB",
        "sha256:abababababab",
        "churn/3",
    ):
        assert text in shown
    found = cloudml("show", "churn-1", "-o", "json").json
    assert found["run"]["tasks"][1]["metrics"] == {"auc": 0.8412}
    assert found["models"][0]["version"] == VERSION.version


def test_show_a_step(world: World, cloudml: Invoke) -> None:
    world.session.runs.records = [FAILED]
    shown = cloudml("show", "last", "features").out
    for text in ("column 'age' is missing", "churn/features.py:41", "line 41, in features", "Reads from", "extract"):
        assert text in shown
    assert cloudml("show", "features").out == shown, "one word that is no run may be a step of the last run"
    assert cloudml("show", "features", "-o", "json").json["step"]["id"] == "features"


def test_a_misspelt_step_gets_a_proposal(world: World, cloudml: Invoke) -> None:
    done = cloudml("show", "last", "extarct")
    assert done.code == 64
    assert "did you mean 'extract'?" in done.err
    assert cloudml("show", "nothing-7").code == 64


def test_logs_of_a_step(world: World, cloudml: Invoke) -> None:
    assert cloudml("logs", "extract").out == "one\ntwo\nthree\n"
    assert cloudml("logs", "churn-1", "fit", "--follow").code == 0
    assert world.session.runs.calls == [("logs", "churn-1", "extract", False), ("logs", "churn-1", "fit", True)]
    assert cloudml("logs", "extract", "-n", "1").out == "three\n"
    assert cloudml("logs", "extract", "-o", "json").json["lines"] == ["one", "two", "three"]


def test_logs_of_an_endpoint(world: World, cloudml: Invoke) -> None:
    assert cloudml("logs", "churn-production").out == "log of churn-production\n"


@pytest.mark.parametrize("words", [[], ["a", "b", "c"], ["extract", "-f", "-o", "json"], ["extract", "-f", "-n", "3"]])
def test_logs_needs_a_step(world: World, cloudml: Invoke, words: list[str]) -> None:
    assert cloudml("logs", *words).code == 64


def test_why_tells_verdict_reasons_and_remedy(world: World, cloudml: Invoke) -> None:
    world.session.runs.explanations = [
        Explanation("churn-1", "extract", "reused", ("nothing changed since churn-0",)),
        Explanation(
            "churn-1", "fit", "computed", ("the code of churn/training.py changed",), hint="cloudml resume churn-1"
        ),
    ]
    shown = cloudml("why").out
    for text in ("reused", "nothing changed since churn-0", "churn/training.py changed", "cloudml resume churn-1"):
        assert text in shown
    one = cloudml("why", "last", "fit").out
    assert "training.py" in one
    assert "nothing changed" not in one
    assert len(cloudml("why", "-o", "json").json["explanations"]) == 2


def test_a_run_of_many_map_items_stays_readable(world: World, cloudml: Invoke) -> None:
    items = [task(f"score[{index}]", "failed" if index == 57 else "succeeded", parent="map_1") for index in range(100)]
    world.session.runs.records = [record("failed", [task("map_1", "failed", kind="map"), *items])]
    shown = cloudml("show").out.split("Parameters")[0]
    assert "score[57]" in shown
    assert "99 succeeded more" in shown
    assert "score[58]" not in shown
    assert "score[58]" in cloudml("show", "--all").out
