"""The neutral halves of control steps: what a cloud must bring is made up here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plain_platform import Plain, artifact

from cloudml.jobs.context import Context
from cloudml.jobs.control import archive, baseline, notify, prediction, registration, retraining
from cloudml.jobs.control.decisions import ADOPTED, APPROVED, Decision, parsed
from cloudml.jobs.control.monitor import begin
from cloudml.jobs.control.posting import Message
from cloudml.jobs.control.traffic import Exchange, Reader, Traffic
from cloudml.jobs.control.verify import report
from cloudml.jobs.control.watch import Sight, look
from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored
from cloudml.runtime.digest import measure
from cloudml.runtime.drift import Profile
from cloudml.runtime.monitoring import Check, Told
from cloudml.runtime.verification import BadAnswer

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FOLDER = "x://y/monitors/drift"
SERVED = {"name": "live", "model": "churn", "version": 3}
TABLE = pl.DataFrame({"age": [float(number) for number in range(100)], "when": [[1]] * 100})


def stored(folder: Path, table: pl.DataFrame) -> Stored:
    path = folder / "table.parquet"
    table.write_parquet(path)
    digest, size = measure(path)
    return Stored("table", "polars.DataFrame", "parquet", digest, size, path.name, path)


@pytest.fixture
def table(context: Context, tmp_path: Path) -> dict[str, str]:
    """A reference to TABLE."""
    context.sources.members["data"] = {"table": stored(tmp_path, TABLE)}
    return {"member": "data", "port": "table"}


# -- monitors -------------------------------------------------------------------------------------------------------


@dataclass
class Endpoint:
    """Fifty requests with the same age, one a window; notes what is done to it."""

    age: float = 99.0
    breaks: bool = False
    done: list[str] = field(default_factory=list)

    def traffic(self, sight: Sight, profiles: Mapping[str, Profile], order: Sequence[str]) -> Traffic:
        found = Traffic.against(profiles)
        rows = Reader(profiles, order).rows(Exchange(json.dumps({"instances": [{"age": self.age}] * 50}).encode()))
        found.requests += 1
        found.take(rows)
        return found

    def service(self, sight: Sight, statistics: Sequence[str]) -> dict[str, Told]:
        assert not statistics
        return {}

    def tell(self, checks: Sequence[Check], counts: Mapping[str, float], at: datetime) -> None:
        self.done.append(f"told {counts['breaches']}")

    def retrain(self, at: datetime) -> dict[str, Any]:
        if self.breaks:
            raise RuntimeError("no quota")
        self.done.append("retrained")
        return {"started": "run-2"}

    def rollback(self, sight: Sight, reason: str) -> dict[str, Any]:
        self.done.append(reason)
        return {"serves": sight.endpoint["version"] - 1}


ACTION = {
    "monitor": "drift", "folder": FOLDER, "window": 3600.0, "time": {"literal": NOON.isoformat()}, "retrain": {},
    "rollback": True, "dimensions": {"Project": "shop", "Target": "gcp", "Pipeline": "churn"},
    "thresholds": [{"statistic": "psi", "limit": 0.2, "min_samples": 20, "direction": "above"}],
    "alerts": [{"name": "team", "channel": "email"}],
}  # fmt: skip


def test_a_baseline_is_kept_by_its_digest_and_the_same_again_keeps_its_time(
    context: Context, platform: Plain, table: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    action = {**ACTION, "baseline": table}
    first = begin(action, context, platform.store, SERVED)
    later = begin({**action, "time": {"literal": "2026-11-25T00:00:00Z"}}, context, platform.store, SERVED)
    assert first == later == baseline.standing(platform.store, FOLDER)
    assert set(baseline.profiles(platform.store, first)) == {"age"}
    assert "left out, as they hold neither numbers nor categories: when" in capsys.readouterr().out
    with pytest.raises(Refused, match="no column income"):
        begin({**action, "features": ["income"]}, context, platform.store, SERVED)


def test_a_breach_is_told_and_acted_upon(context: Context, platform: Plain, table: dict[str, str]) -> None:
    before = {"literal": (NOON - timedelta(hours=2)).isoformat()}
    begin({**ACTION, "baseline": table, "time": before}, context, platform.store, SERVED)
    endpoint = Endpoint()
    found = look(ACTION, context, platform.store, endpoint)["report"]
    assert (found["verdict"], found["retrain"], found["rollback"]) == ("breach", {"started": "run-2"}, {"serves": 2})
    assert endpoint.done[:2] == ["told 1", "retrained"]
    assert "psi of age" in endpoint.done[2]
    ((_, message),) = platform.seen
    assert message.subject == "cloudml: monitor drift of churn: 1 limits broken"
    assert json.loads(platform.store.get(f"{FOLDER}/reports/20261124T120000Z.json")) == found


def test_what_fails_is_told_and_keeps_nothing_else_from_happening(
    context: Context, platform: Plain, table: dict[str, str]
) -> None:
    begin({**ACTION, "baseline": table}, context, platform.store, SERVED)
    endpoint = Endpoint(breaks=True)
    action: dict[str, Any] = {**ACTION, "alerts": [{"name": "team", "channel": "email", "broken": "no topic"}]}
    action["time"] = {"literal": (NOON + timedelta(hours=1)).isoformat()}
    with pytest.raises(Refused, match=r"retrain: told: no quota; alert team: no topic"):
        look(action, context, platform.store, endpoint)
    assert len(endpoint.done) == 2


def test_without_a_baseline_nothing_is_judged(context: Context, platform: Plain) -> None:
    assert look(ACTION, context, platform.store, Endpoint())["report"]["verdict"] == "no_baseline"


def test_a_run_of_this_very_window_is_found_again() -> None:
    name = retraining.run_name("drift", NOON)
    assert name == f"{retraining.prefix('drift')}20261124T120000Z"
    earlier = [retraining.Started(name, NOON, True, "run-7")]
    known = retraining.same(earlier, name)
    assert known is not None
    assert known.id == "run-7"
    assert "goes on" in retraining.held(earlier, {"cooldown": 60.0}, NOON)


# -- models -----------------------------------------------------------------------------------------------------------

REGISTER = {
    "name": "register", "model_name": "churn", "model": {"input": "in-0", "port": "model"}, "predictor": "steps:serve",
    "code": "c",
    "metrics": [{"name": "rows", "value": {"literal": 4}}, {"name": "s", "value": {"literal": {"auc": 0.5}}}],
    "source": {"step": "fit", "code": "d"},
}  # fmt: skip


def test_a_registration_is_known_by_its_model_its_evidence_and_its_code(context: Context, platform: Plain) -> None:
    artifact(platform.layout.input("in-0"), "model", {"slope": 3})
    model = context.sources.one(REGISTER["model"])  # type: ignore[arg-type]
    metrics = registration.evidence(REGISTER, context)
    assert metrics == {"rows": 4.0, "auc": 0.5}
    facts = registration.facts(REGISTER, context, model, metrics, "archive")
    assert (facts["step"], facts["run"], facts["digest"]) == ("fit", "job-1", model.digest)
    assert facts["origin"] != registration.facts(REGISTER, context, model, {}, "archive")["origin"]
    assert registration.home(REGISTER, context) == "x://y/models/churn"
    with pytest.raises(Refused, match="'high' is not a metric"):
        registration.evidence({"metrics": [{"name": "x", "value": {"literal": "high"}}]}, context)


def test_the_same_model_makes_the_same_archive(tmp_path: Path) -> None:
    for name in ("model", "library.zip"):
        (tmp_path / name).write_text(name)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "steps.py").write_text("x = 1\n")
    scripts = {"serve.py": ("cloudml.jobs", "start.py")}
    found = []
    for number in range(2):
        target = tmp_path / f"{number}.tar.gz"
        parts = (tmp_path / "model", {"filename": "m"}, tmp_path / "library.zip", tmp_path / "project")
        archive.pack(target, *parts, scripts)
        found.append(archive.digest(target))
    assert found[0] == found[1]


def test_decisions_come_back_as_they_were_written() -> None:
    made = Decision.now(APPROVED, "ann", "it is\n good")
    assert parsed(made.content()) == made
    assert (made.approval, made.line()) == ("approved", "ann: it is good")
    assert Decision.now(f"{ADOPTED}x", "", "").approval == "approved"
    assert Decision.now("promoted to champion", "", "").approval is None
    assert parsed(b"{}") is None
    assert parsed(b"\xff") is None


def test_batch_prediction_takes_a_registered_model_from_the_cloud(
    context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played: list[dict[str, Any]] = []
    monkeypatch.setattr(prediction, "run_job", lambda step, _: played.append(step))

    def bring(wanted: dict[str, Any], folder: Path) -> prediction.Registered:
        assert wanted == {"model": "churn", "alias": "champion"}
        return prediction.Registered(folder / "model.json", "steps:serve")

    asked: dict[str, Any] = {"model": {"model": {"model": "churn", "alias": "champion"}}, "data": {}, "batch_size": 5}
    prediction.predict(asked, context, bring)
    (step,) = played
    assert step["arguments"]["predictor"] == {"literal": "steps:serve"}
    assert step["inputs"][0]["from"]["literal"].endswith("registered/model.json")


# -- endpoints ------------------------------------------------------------------------------------------------------

VERIFY = {"rows": 2, "requests": 4, "max_error_rate": 0.0, "p95": None, "function": None, "sample": None}


def test_an_endpoint_is_asked_with_the_registered_rows(context: Context) -> None:
    asked: list[Any] = []

    def ask(rows: list[dict[str, Any]]) -> Any:
        asked.append(rows)
        return [row["x"] * 3 for row in rows]

    found = report(VERIFY, context, ask, lambda: [{"x": 1}, {"x": 2}, {"x": 3}])
    assert (found["requests"], found["errors"]) == (4, 0)
    assert {row["x"] for rows in asked for row in rows} <= {1, 2}


@pytest.mark.parametrize("answer", ["many", None, [1, 2, 3]])
def test_answers_of_another_form_are_errors(context: Context, answer: Any) -> None:
    with pytest.raises(AssertionError):
        report(VERIFY, context, lambda rows: answer, lambda: [{"x": 1}, {"x": 2}])


def test_an_endpoint_that_does_not_answer_is_an_error(context: Context) -> None:
    def ask(rows: list[dict[str, Any]]) -> Any:
        raise BadAnswer("503")

    with pytest.raises(AssertionError):
        report(VERIFY, context, ask, lambda: [{"x": 1}])


# -- messages -------------------------------------------------------------------------------------------------------


def test_every_channel_is_told_and_those_that_fail_are_named(context: Context, platform: Plain) -> None:
    action = {
        "message": "{who} is ready", "arguments": {"who": {"literal": "it"}},
        "alerts": [{"name": "a", "channel": "email"}, {"name": "b", "channel": "email", "broken": "gone"}],
    }  # fmt: skip
    with pytest.raises(Refused, match=r"^alert b: gone$"):
        notify.notify(action, context)
    messages = [message for what, message in platform.seen if what == "alert"]
    assert messages == [Message("cloudml: watched", "it is ready", "shop", "job-1/watched")] * 2
