"""Conformance: tuning, and the life of a model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cloudml.backend.port import RunOptions
from cloudml.backend.records import RunRecord
from cloudml.errors import NotFound, Refused
from cloudml.testing.harness import BackendSession, digests, states, task, value


def trials(record: RunRecord, step: str = "parabola") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = value(record, step, "trials")
    return found


class TuningSuite:
    """What a search means."""

    def test_a_grid_tries_every_point_once_and_finds_the_best(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_tuning:grid")
        assert record.status == "succeeded"
        tried = [(one["x"], one["y"]) for one in trials(record)]
        assert sorted(tried) == [(float(x), y) for x in range(5) for y in (2, 3, 4)]
        assert value(record, "parabola", "best_parameters") == {"x": 2.0, "y": 3}
        assert value(record, "parabola", "best_value") == 1.0
        assert value(record, "use") == 2.0 + 1.0, "the best trial's outputs are the step's"

    def test_random_trials_lie_in_the_space(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_tuning:random")
        tried = trials(record)
        assert len(tried) == 8
        assert all(0 <= one["x"] <= 4 and one["y"] in (1, 3, 5) for one in tried)
        assert all(one["value"] == pytest.approx((one["x"] - 2) ** 2 + (one["y"] - 3) ** 2) for one in tried)
        assert value(record, "parabola", "best_value") == min(one["value"] for one in tried)

    def test_a_search_is_the_same_each_time(self, backend_session: BackendSession) -> None:
        first = backend_session.run("sample_tuning:bayesian")
        second = backend_session.run("sample_tuning:bayesian", RunOptions(cache=False))
        assert trials(first) == trials(second)
        assert digests(first) == digests(second)
        assert states(backend_session.run("sample_tuning:bayesian")) == {"parabola": "cached"}

    def test_failed_trials_are_survived_up_to_the_limit(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_tuning:forgiving")
        assert record.status == "succeeded"
        assert sorted(one["x"] for one in trials(record, "fussy") if one["state"] == "failed") == [1, 3, 5]
        assert value(record, "fussy", "best_parameters") == {"x": 2}

    def test_one_failed_trial_too_many_fails_the_step(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_tuning:unforgiving")
        assert record.status == "failed"
        assert "is odd" in task(record, "fussy").reason

    def test_hopeless_trials_are_pruned(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_tuning:pruned")
        assert record.status == "succeeded"
        tried = trials(record, "learner")
        assert value(record, "learner", "best_parameters") == {"rate": 1}
        # Worked out by the rule: after three finished trials, one is pruned when its rate is above their median.
        finished: list[float] = []
        for one in tried:
            rates = sorted(finished)
            middle = len(rates) // 2
            median = rates[middle] if len(rates) % 2 else (sum(rates[middle - 1 : middle + 1]) / 2 if rates else 0)
            hopeless = len(rates) >= 3 and one["rate"] > median
            assert one["state"] == ("pruned" if hopeless else "succeeded"), tried
            if not hopeless:
                finished.append(one["rate"])


class ModelSuite:
    """What registering, gating, approving, serving mean."""

    reuses_deeds = True
    """Whether registering, deploying, verifying again what is there already counts as cached."""

    def test_a_version_has_its_metrics_and_lineage(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:registered")
        [found] = backend_session.session.models.list("sample-line")
        assert (found.version, found.approval, found.metrics) == (1, "approved", {"r2": 0.9})
        assert (found.run, found.step) == (record.id, "fit")
        assert found.digest == digests(record)["fit"]["model"]
        assert found.data == {"data": digests(record)["line"]["output"]}
        assert found.parameters == {"quality": 0.9}

    def test_the_same_model_is_registered_once(self, backend_session: BackendSession) -> None:
        first = backend_session.run("sample_models:registered")
        again = backend_session.run("sample_models:registered", RunOptions(cache=False))
        other = backend_session.run("sample_models:registered", quality=0.8)
        versions = [value(run, "register_sample-line", "version")["version"] for run in (first, again, other)]
        assert versions == [1, 1, 2]
        assert [one.version for one in backend_session.session.models.list()] == [2, 1]

    def test_the_first_model_has_nobody_to_beat(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:gated")
        assert (record.status, len(backend_session.session.models.list())) == ("succeeded", 1)

    def test_a_champion_can_be_demanded(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:demanding")
        assert (record.status, backend_session.session.models.list()) == ("succeeded", [])

    def test_a_champion_must_be_beaten(self, backend_session: BackendSession) -> None:
        backend_session.run("sample_models:gated", quality=0.8)
        models = backend_session.session.models
        models.promote("sample-line", 1, "champion", "ada", "the first")
        backend_session.run("sample_models:gated", quality=0.7)
        assert [one.version for one in models.list()] == [1]
        backend_session.run("sample_models:gated", quality=0.9)
        assert [(one.version, one.aliases) for one in models.list()] == [(2, ()), (1, ("champion",))]

    def test_an_approval_is_waited_for_given_and_kept(self, backend_session: BackendSession) -> None:
        runs, models = backend_session.session.runs, backend_session.session.models
        record = backend_session.run("sample_models:approved")
        assert (record.status, states(record)["gate"], states(record)["behind"]) == ("waiting", "waiting", "pending")
        with pytest.raises(Refused):
            models.promote("sample-line", 1, "champion", "ada", "too early")
        with pytest.raises(Refused, match="mallory"):
            runs.approve(record.id, "gate", "mallory", "let me")
        with pytest.raises(Refused):
            runs.approve(record.id, "fit", "ada", "not asked")
        runs.approve(record.id, "gate", "ada", "looks right")
        resumed = backend_session.resume(record)
        assert (resumed.status, states(resumed)["behind"]) == ("succeeded", "succeeded")
        found = models.get("sample-line", 1)
        assert found.approval == "approved"
        assert ("ada", "looks right") in [(one["who"], one["reason"]) for one in found.decisions]

    def test_a_rejection_ends_the_run(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:approved")
        backend_session.session.runs.approve(record.id, "gate", "grace", "not yet", approved=False)
        resumed = backend_session.resume(record)
        assert (resumed.status, states(resumed)["behind"]) == ("failed", "skipped")
        assert "not yet" in task(resumed, "gate").reason
        assert backend_session.session.models.get("sample-line", 1).approval != "approved"

    def test_an_approval_expires(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:expiring")
        assert record.status == "waiting"
        time.sleep(0.3)
        assert backend_session.resume(record).status == "failed"
        waited = backend_session.run("sample_models:expiring", RunOptions(wait=True))
        assert (waited.status, states(waited)["gate"]) == ("failed", "failed")

    def test_unknown_models_are_refused(self, backend_session: BackendSession) -> None:
        with pytest.raises(NotFound):
            backend_session.session.models.get("nobody")
        with pytest.raises(NotFound):
            backend_session.session.models.promote("nobody", 1, "champion", "ada", "why not")

    def test_batches_are_answered_in_order(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_models:batch")
        assert record.status == "succeeded", record.reason
        assert value(record, "look") == pytest.approx([2 * x + 1 for x in range(25)], abs=1e-5)

    def test_a_model_is_served_verified_and_answers(self, backend_session: BackendSession, tmp_path: Path) -> None:
        endpoints = backend_session.session.endpoints
        try:
            record = backend_session.run("sample_models:served")
            assert record.status == "succeeded", record.reason
            [found] = endpoints.list()
            assert (found.name, found.model, found.version) == ("sample-service", "sample-line", 1)
            body = json.dumps({"instances": [{"x": 20.0, "y": 0.0}]}).encode()
            answer = endpoints.invoke("sample-service", body, "application/json")
            assert answer.status == 200, answer.body
            assert json.loads(answer.body)["predictions"] == pytest.approx([41.0], abs=1e-4)
            assert backend_session.session.models.get("sample-line", alias="champion").version == 1
            again = backend_session.run("sample_models:served")
            assert set(states(again).values()) <= ({"cached"} if self.reuses_deeds else {"cached", "succeeded"})
            [left] = endpoints.list()
            assert (left.version, left.deployment) == (found.version, found.deployment), "nothing is deployed twice"
            assert [one.version for one in backend_session.session.models.list()] == [1]
        finally:
            for one in endpoints.list():
                endpoints.stop(one.name)
