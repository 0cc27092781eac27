"""`plan`, `apply`, `destroy`, `rollback`, `fetch`, `rerun --local`, `promote --into`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_world import FRAME, Invoke, World, record, task

from cloudml.backend.records import Cost, CostItem, Destroyed, Removed
from cloudml.cli.plans import cost_lines
from cloudml.errors import Diagnostic, Refused
from cloudml.plan import Change, Plan

LOSS = Change("delete", "model_group", "churn", lost="3 versions of the model")


def test_plan_shows_changes_and_notes_and_ends_with_2(world: World, cloudml: Invoke) -> None:
    done = cloudml("plan", "--target", "aws")
    assert done.code == 2
    assert "plan for aws: 1 to change, 1 unchanged" in done.out
    assert "+ create  pipeline  churn" in done.out
    assert "retries are emulated" in done.out
    assert world.started == [], "a plan starts nothing"
    as_json = cloudml("plan", "-o", "json")
    assert (as_json.code, as_json.json["plan"]["changes"][0]["action"]) == (2, "create")


def test_a_plan_without_changes_ends_with_0(world: World, cloudml: Invoke) -> None:
    world.plan = Plan((Change("none", "pipeline", "churn"), Change("create", "endpoint", "e", deferred=True)))
    done = cloudml("plan")
    assert done.code == 0
    assert "nothing to change, 1 unchanged, 1 made by the run" in done.out


def test_a_plan_tells_drift_loss_replacement_and_cost(world: World, cloudml: Invoke) -> None:
    cost = Cost("USD", "2024-05-01", (CostItem("jobs", "run", 0.5, 2), CostItem("endpoint", "month", 70, 70)))
    drifted = Change(
        "update", "queue", "q", ("a",), ("a.b",), "arn:aws:iam::1:user/eva", "2024-05-06T07:08:09+00:00", "", "cut off"
    )
    replaced = Change("replace", "schedule", "s", ("zone",), lost="its history")
    world.plan = Plan((drifted, replaced), facts={"cost": cost.to_dict()})
    shown = cloudml("plan").out
    assert "changed outside of cloudml by arn:aws:iam::1:user/eva at 2024-05-06" in shown
    for text in (
        "a.b",
        "cut off",
        "cannot be undone: its history",
        "2024-05-01",
        "0.50 to 2.00 USD a run",
        "70.00 USD",
    ):
        assert text in shown
    found = cloudml("plan", "-o", "json").json["plan"]
    assert found["changes"][0]["changed_by"] == "arn:aws:iam::1:user/eva"
    assert (found["cost"]["run"], found["cost"]["as_of"]) == ([0.5, 2], "2024-05-01")


def test_a_cost_of_nothing_is_not_told() -> None:
    assert list(cost_lines(Cost("USD", "2024-05-01", ()).to_dict())) == []
    assert list(cost_lines(None)) == []


def test_plan_passes_what_was_asked_for(world: World, cloudml: Invoke) -> None:
    cloudml("plan", "churn", "--prune", "--save", "churn.plan")
    assert world.asked == [("plan", "churn", True, False), ("save", "churn.plan")]
    offline = cloudml("plan", "--offline", "-o", "json").json
    assert (offline["offline"], offline["seen_at"]) == (True, "2024-05-06T07:08:09")
    assert cloudml("plan", "--offline", "--save", "x").code == 64


def test_what_a_note_says_is_not_said_twice(world: World, cloudml: Invoke) -> None:
    world.diagnostics = (
        Diagnostic("CML302", "step fit", "emulated", severity="warning"),
        Diagnostic("CML250", "parameter x", "no step uses it", severity="warning"),
    )
    shown = cloudml("plan").out
    assert "CML250" in shown and "CML302" not in shown
    assert [one["code"] for one in cloudml("plan", "-o", "json").json["warnings"]] == ["CML302", "CML250"]


def test_apply_shows_and_applies(world: World, cloudml: Invoke, tmp_path: Path) -> None:
    done = cloudml("apply", "--target", "aws")
    assert done.code == 0
    assert done.out.index("plan for aws") < done.out.index("applied 1 change")
    (tmp_path / "churn.plan").write_text("{}")
    assert cloudml("apply", "churn", "--plan", "churn.plan", "-o", "json").json["plan"]["changes"]
    assert world.asked == [("apply", None, None, False), ("apply", "churn", "churn.plan", False)]
    assert cloudml("apply", "--plan", "churn.plan", "--prune").code == 64
    assert cloudml("apply", "--plan", "nowhere").code == 64


@pytest.mark.parametrize("command", ["apply", "deploy"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_cannot_be_undone_needs_yes(world: World, cloudml: Invoke, command: str, form: str) -> None:
    world.plan = Plan((LOSS,))
    refused = cloudml(command, "--prune", "-o", form)
    assert refused.code == 64
    assert "3 versions of the model" in refused.out + refused.err
    assert not world.started and ("apply", None, None, True) not in world.asked
    assert cloudml(command, "--prune", "--yes", "-o", form).code == 0
    assert (command, *((None, None) if command == "apply" else ()), True) in world.asked


def test_a_person_is_asked_before_what_cannot_be_undone(
    world: World, cloudml: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan = Plan((LOSS,))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, code in ((True, 0), (False, 130)):
        monkeypatch.setattr("cloudml.cli.plans.click.confirm", _answering(answer))
        assert cloudml("apply", "--prune").code == code
    assert world.asked == [("apply", None, None, True)]


def _answering(answer: bool) -> object:
    import click

    def confirm(text: str, abort: bool) -> bool:
        if not answer:
            raise click.Abort
        return True

    return confirm


def test_a_stale_plan_is_a_refusal(world: World, cloudml: Invoke) -> None:
    world.outcome = Refused("the plan is stale: queue q changed", code="CML530", hint="cloudml plan")
    done = cloudml("apply", "-o", "json")
    assert done.code == 3
    assert done.json["error"]["diagnostics"][0]["code"] == "CML530"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Refused("denied")])
def test_what_stands_after_an_apply_was_cut_off_is_told(world: World, cloudml: Invoke, error: BaseException) -> None:
    error.add_note("2 of 5 changes stand")
    world.outcome = error
    assert "2 of 5 changes stand" in cloudml("apply").err
    assert "2 of 5 changes stand" in cloudml("apply", "-o", "json").json["error"]["diagnostics"][0]["hint"]


def test_destroy_asks_lists_and_tells_what_stays(world: World, cloudml: Invoke) -> None:
    assert cloudml("destroy").code == 64, "a program must say --yes"
    assert world.asked == []
    looked = cloudml("destroy", "--dry-run", "--keep-data")
    assert (looked.code, world.asked) == (0, [("destroy", True, True)])
    for text in ("would remove 1", "endpoint", "churn-production", "stays models"):
        assert text in looked.out
    done = cloudml("destroy", "--yes", "-o", "json")
    assert done.json["destroyed"]["removed"][0]["name"] == "churn-production"
    assert world.asked[-1] == ("destroy", False, False)


def test_a_destroy_that_left_something_is_a_failure(world: World, cloudml: Invoke) -> None:
    world.destroyed = Destroyed((Removed("queue", "q", "access denied"), Removed("topic", "t")))
    done = cloudml("destroy", "--yes")
    assert done.code == 1
    assert "removed 1; 1 could not be removed" in done.out
    assert "access denied" in done.out


def test_rollback_needs_a_reason(world: World, cloudml: Invoke) -> None:
    assert cloudml("rollback", "churn-production").code == 64
    done = cloudml("rollback", "churn-production", "--reason", "too slow", "--as", "eva")
    assert (done.code, done.out) == (0, "churn-production serves churn/2 again, by eva\n")
    assert world.session.endpoints.calls == [("rollback", "churn-production", "eva", "too slow")]


def test_fetch_takes_the_only_output(world: World, cloudml: Invoke) -> None:
    done = cloudml("fetch", "last", "extract", "--to", "data")
    assert (done.code, done.out) == (0, "data/output.parquet\n")
    assert world.session.runs.calls == [("fetch", "churn-1", "extract", "output", "data")]
    world.session.runs.records = [record(tasks=[task("split", outputs=(FRAME, replace(FRAME, name="test")))])]
    assert cloudml("fetch", "last", "split").code == 64, "there are two"
    assert cloudml("fetch", "last", "split", "test", "-o", "json").json["output"] == "test"
    assert cloudml("fetch", "last", "nothing").code == 64


def test_rerun_local_computes_one_step_and_starts_nothing(world: World, cloudml: Invoke) -> None:
    done = cloudml("rerun", "last", "--from", "fit", "--local")
    assert done.code == 0
    assert "fit succeeded" in done.out and "auc = 0.84" in done.out and "churn-1-fit" in done.out
    cloudml("rerun", "churn-1", "--from", "fit", "--local", "--to", "place")
    assert world.asked == [("rehearse", "last", "fit", "churn-1-fit"), ("rehearse", "churn-1", "fit", "place")]
    assert world.started == []
    world.rehearsed = task("fit", "failed", reason="no", failure={"traceback": "line 3, in fit"})
    failed = cloudml("rerun", "last", "--from", "fit", "--local", "--to", "other")
    assert (failed.code, "line 3, in fit" in failed.out) == (1, True)


@pytest.mark.parametrize("words", [["--local"], ["--from", "fit", "--to", "x"]])
def test_rerun_local_needs_a_step(world: World, cloudml: Invoke, words: list[str]) -> None:
    assert cloudml("rerun", "last", *words).code == 64


def test_promote_into_another_target(world: World, cloudml: Invoke) -> None:
    words = ("promote", "churn/champion", "--into", "aws", "--reason", "good", "--as", "eva")
    assert "churn/3 of local is churn/1 of aws, by eva" in cloudml(*words).out
    assert "stable there now" in cloudml(*words, "--to", "stable").out
    assert world.asked[0] == ("promote_into", "local", "aws", "churn", "champion", None, "eva", "good")
    assert world.session.models.calls == [], "nothing moves here"
    assert cloudml("promote", "churn/3", "--reason", "x").code == 64, "neither --to nor --into"
