"""Conformance: results, failures, retries, limits, secrets, files, caching, resuming."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloudml.backend.port import RunOptions
from cloudml.errors import NotFound, SpecError
from cloudml.testing.harness import BackendSession, digests, notes, states, task, value


class JobSuite:
    """What becomes of a function."""

    reuses_by_content = True
    """Whether a result is reused when its inputs have the same content, wherever it lies; else by their addresses."""
    rerun_keeps_the_rest = False
    """Whether a rerun takes over every result above its step, also of steps that are never cached."""

    def test_tables_metrics_and_single_values_travel(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_jobs:tables", rows=10)
        assert record.status == "succeeded"
        assert task(record, "judge").metrics == {"auc": 0.75, "rows": 5}
        assert value(record, "test_rows") == 5
        assert [output.name for output in task(record, "split").outputs] == ["train", "test", "share"]
        assert all(output.size > 0 for output in task(record, "split").outputs)

    def test_empty_tables_travel(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_jobs:tables", rows=0)
        assert (record.status, value(record, "test_rows")) == ("succeeded", 0)

    def test_arrays_travel(self, backend_session: BackendSession) -> None:
        assert value(backend_session.run("sample_jobs:arrays"), "norm") == 0 + 1 + 4 + 9 + 16

    def test_folders_travel(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_jobs:folders")
        assert value(record, "from_folder") == "abc|cba"
        assert task(record, "to_folder").outputs[0].digest.startswith("tree:")

    def test_results_are_the_same_bytes_each_time(self, backend_session: BackendSession) -> None:
        anew = RunOptions(cache=False)
        for place in ("sample_jobs:tables", "sample_jobs:arrays", "sample_jobs:folders"):
            first, second = backend_session.run(place, anew), backend_session.run(place, anew)
            assert digests(first) == digests(second)
            assert set(states(second).values()) == {"succeeded"}

    def test_a_file_from_outside_is_read_and_its_content_counts(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        given, outside = tmp_path / "given.txt", backend_session.outside.file
        given.write_text("one", encoding="utf-8")
        assert value(backend_session.run("sample_jobs:external", path=outside(given)), "read_file") == "one"
        assert states(backend_session.run("sample_jobs:external", path=outside(given))) == {"read_file": "cached"}
        given.write_text("two", encoding="utf-8")
        assert value(backend_session.run("sample_jobs:external", path=outside(given)), "read_file") == "two"

    def test_a_file_that_is_not_there_is_named(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run(
            "sample_jobs:external", path=backend_session.outside.file(tmp_path / "nothing.txt")
        )
        assert record.status == "failed"
        assert "nothing.txt" in task(record, "read_file").reason

    def test_wrong_parameters_are_refused_together(self, backend_session: BackendSession) -> None:
        with pytest.raises(SpecError) as caught:
            backend_session.run("sample_jobs:tables", rows="many", colour="red")
        told = " ".join(str(finding) for finding in caught.value.diagnostics)
        assert len(caught.value.diagnostics) == 2
        assert "rows" in told and "colour" in told

    def test_a_parameter_without_default_must_be_given(self, backend_session: BackendSession) -> None:
        with pytest.raises(SpecError, match=r"1 problem|side"):
            backend_session.run("sample_jobs:retried")

    # -- failures -----------------------------------------------------------------------------------------------

    def test_a_passing_fault_is_tried_again(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run("sample_jobs:retried", side=str(tmp_path), until=3)
        assert record.status == "succeeded"
        assert (value(record, "flaky"), task(record, "flaky").attempts) == (3, 3)

    def test_tries_end(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run("sample_jobs:retried", side=str(tmp_path), until=9)
        assert (record.status, notes(tmp_path)) == ("failed", {"flaky": 4})
        assert "try 4" in task(record, "flaky").reason

    def test_a_mistake_is_not_tried_again_and_stops_only_what_needs_it(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        record = backend_session.run("sample_jobs:mistaken", side=str(tmp_path))
        assert record.status == "failed"
        assert states(record) == {"wrong": "failed", "last": "skipped", "counted": "succeeded"}
        assert notes(tmp_path) == {"wrong": 1, "counted": 1}
        failed = task(record, "wrong").failure
        assert failed is not None
        assert (failed["class"], failed["exception"], failed["message"]) == ("error", "ValueError", "a mistake")
        assert failed["where"].startswith("sample_jobs.py:")
        assert 'raise ValueError("a mistake")' in failed["traceback"]

    @pytest.mark.parametrize("how", ["key", "crash"])
    def test_a_policy_names_what_is_tried_again(
        self, backend_session: BackendSession, tmp_path: Path, how: str
    ) -> None:
        record = backend_session.run("sample_jobs:retried_by_name", side=str(tmp_path), how=how)
        assert (record.status, value(record, "chosen")) == ("succeeded", 3)

    def test_every_failure_has_its_class(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_jobs:broken")
        classes = {one.id: (one.failure or {}).get("class") for one in record.tasks}
        assert record.status == "failed"
        assert classes == {
            "endless": "timeout",
            "crash": "crash",
            "greedy": "memory",
            "mistyped": "error",
            "immeasurable": "error",
        }
        assert "int" in task(record, "mistyped").reason and "str" in task(record, "mistyped").reason
        assert "auc" in task(record, "immeasurable").reason

    def test_secrets_reach_the_step_and_nothing_else(
        self, backend_session: BackendSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep = backend_session.outside.secret or (lambda name, text: monkeypatch.setenv(f"CLOUDML_SECRET_{name}", text))
        keep("crm", "open-sesame")
        record = backend_session.run("sample_jobs:secretive")
        assert value(record, "length") == len("open-sesame")
        assert "***" in task(record, "whisper").reason
        assert "open-sesame" not in str(record.to_dict())
        assert "open-sesame" not in str([one.to_dict() for one in backend_session.session.runs.why(record.id)])

    def test_a_secret_that_is_not_there_is_named(
        self, backend_session: BackendSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CLOUDML_SECRET_crm", raising=False)
        monkeypatch.delenv("crm", raising=False)
        assert "crm" in task(backend_session.run("sample_jobs:secretive"), "length").reason

    def test_a_checkpoint_outlives_an_attempt(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run("sample_jobs:checkpointed", side=str(tmp_path))
        assert (record.status, value(record, "epochs"), notes(tmp_path)) == ("succeeded", 3, {"epochs": 3})

    # -- caching and going on -----------------------------------------------------------------------------------

    def test_an_unchanged_run_computes_nothing_again(self, backend_session: BackendSession, tmp_path: Path) -> None:
        first = backend_session.run("sample_jobs:caching", side=str(tmp_path))
        second = backend_session.run("sample_jobs:caching", side=str(tmp_path))
        assert states(first) == {"counted": "succeeded", "uncached": "succeeded", "last": "succeeded"}
        last = ("cached", 1) if self.reuses_by_content else ("succeeded", 2)
        assert states(second) == {"counted": "cached", "uncached": "succeeded", "last": last[0]}
        assert notes(tmp_path) == {"counted": 1, "uncached": 2, "last": last[1]}
        assert digests(first) == digests(second)
        assert [task(run, "last").values for run in (first, second)] == [{"output": 30.0}] * 2
        assert first.id in str(task(second, "counted").cached_from)

    def test_a_changed_parameter_computes_what_depends_on_it(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        backend_session.run("sample_jobs:caching", side=str(tmp_path))
        record = backend_session.run("sample_jobs:caching", side=str(tmp_path), factor=1)
        assert states(record) == {"counted": "cached", "uncached": "succeeded", "last": "succeeded"}
        assert value(record, "last") == 40

    def test_without_cache_everything_is_computed(self, backend_session: BackendSession, tmp_path: Path) -> None:
        backend_session.run("sample_jobs:caching", side=str(tmp_path))
        record = backend_session.run("sample_jobs:caching", RunOptions(cache=False), side=str(tmp_path))
        assert set(states(record).values()) == {"succeeded"}

    def test_rerun_computes_a_step_and_what_is_below_it(self, backend_session: BackendSession, tmp_path: Path) -> None:
        first = backend_session.run("sample_jobs:caching", side=str(tmp_path), value=5)
        again = backend_session.rerun(first, "sample_jobs:caching", "last")
        uncached = "cached" if self.rerun_keeps_the_rest else "succeeded"
        assert states(again) == {"counted": "cached", "uncached": uncached, "last": "succeeded"}
        all_again = backend_session.rerun(first, "sample_jobs:caching", "counted")
        assert set(states(all_again).values()) == {"succeeded"}
        assert (again.parent, again.parameters) == (first.id, first.parameters)
        assert digests(all_again) == digests(first)

    def test_rerun_from_a_step_that_is_not_there_is_refused(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        first = backend_session.run("sample_jobs:caching", side=str(tmp_path))
        with pytest.raises(NotFound):
            backend_session.rerun(first, "sample_jobs:caching", "nowhere")

    def test_resume_runs_what_had_failed_and_nothing_that_had_succeeded(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        record = backend_session.run("sample_jobs:mended", side=str(tmp_path))
        assert states(record) == {"counted": "succeeded", "needs_file": "failed", "last": "skipped"}
        (tmp_path / "there").touch()
        resumed = backend_session.resume(record)
        assert (resumed.id, resumed.status, value(resumed, "last")) == (record.id, "succeeded", 20)
        counts = notes(tmp_path)
        assert (counts["counted"], counts["needs_file"], counts["last"]) == (1, 2, 1)
        assert backend_session.resume(resumed).status == "succeeded"
        assert notes(tmp_path) == counts, "a run that succeeded is left alone"

    def test_why_says_what_happened_to_every_task(self, backend_session: BackendSession, tmp_path: Path) -> None:
        first = backend_session.run("sample_jobs:mistaken", side=str(tmp_path))
        verdicts = {one.task: one.verdict for one in backend_session.session.runs.why(first.id)}
        assert verdicts == {"wrong": "failed", "last": "skipped", "counted": "computed"}
        second = backend_session.run("sample_jobs:mistaken", side=str(tmp_path))
        [told] = backend_session.session.runs.why(second.id, "counted")
        assert told.verdict.startswith("reused")

    def test_logs_hold_what_a_step_printed_and_unknown_names_are_refused(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:chain")
        assert list(backend_session.session.runs.logs(record.id, "double")) == []
        with pytest.raises(NotFound):
            list(backend_session.session.runs.logs(record.id, "nowhere"))
        with pytest.raises(NotFound):
            backend_session.session.runs.get("nobody-1")
        assert backend_session.session.runs.get("last").id == record.id
        assert [one.id for one in backend_session.session.runs.list()] == [record.id]

    def test_outputs_are_fetched_whole(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run("sample_jobs:folders")
        fetch = backend_session.session.runs.fetch
        folder = fetch(record.id, "to_folder", "data", tmp_path / "a")
        assert sorted((path.name, path.read_text(encoding="utf-8")) for path in folder.iterdir()) == [
            ("a.txt", "abc"),
            ("b.txt", "cba"),
        ]
        [output] = task(record, "from_folder").outputs
        content = fetch(record.id, "from_folder", output.name, tmp_path / "b").read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == output.digest
        assert (len(content), content) == (output.size, b'"abc|cba"')
        with pytest.raises(NotFound):
            fetch(record.id, "to_folder", "nothing", tmp_path / "c")
