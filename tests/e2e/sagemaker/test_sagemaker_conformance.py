"""The SageMaker backend on its mock, held against the suite that every backend must pass.

CI runs what `quick` names (see conftest.py): one test for each way in which SageMaker works otherwise than a laptop.
CLOUDML_SLOW=1 runs all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sagemaker_runs import SETTINGS

from cloudml.backend.port import RunOptions
from cloudml.errors import SpecError
from cloudml.testing.harness import Outside, states, value
from cloudml.testing.mocks import MockInUse
from cloudml.testing.suite import BackendSession, BackendSuite, open_backend
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.target import Place


class TestSagemaker(BackendSuite):
    reuses_by_content = False
    rerun_keeps_the_rest = True
    reuses_deeds = False
    quick = frozenset(
        {
            "test_a_false_condition_skips_all_that_lies_in_it",
            "test_a_failing_item_fails_the_map_and_leaves_the_others_alone",
            "test_a_pipeline_without_steps_succeeds",
            "test_maps_nest",
            "test_a_finally_block_runs_after_success",
            "test_listeners_hear_every_task_begin_and_end",
            "test_a_file_from_outside_is_read_and_its_content_counts",
            "test_wrong_parameters_are_refused_together",
            "test_a_parameter_without_default_must_be_given",
            "test_secrets_reach_the_step_and_nothing_else",
            "test_rerun_computes_a_step_and_what_is_below_it",
            "test_resume_runs_what_had_failed_and_nothing_that_had_succeeded",
            "test_why_says_what_happened_to_every_task",
            "test_logs_hold_what_a_step_printed_and_unknown_names_are_refused",
            "test_outputs_are_fetched_whole",
            "test_an_approval_is_waited_for_given_and_kept",
            "test_an_approval_expires",
        }
    )

    @pytest.fixture
    def backend_session(self, empty_account: MockInUse) -> Iterator[BackendSession]:
        client = Client(Place("samples", "conformance", Path(), "us-east-1", "", "data", "given"))
        client.call("s3", "CreateBucket", Bucket="data")

        def file(path: Path) -> str:
            """A file of this machine, brought to where jobs read."""
            key = f"outside/{path.name}"
            if path.exists():
                client.call("s3", "PutObject", Bucket="data", Key=key, Body=path.read_bytes())
            return f"s3://data/{key}"

        def secret(name: str, text: str) -> None:
            client.call("secretsmanager", "CreateSecret", Name=f"cloudml/samples/{name}", SecretString=text)

        with open_backend("sagemaker", SETTINGS, Outside(file, secret)) as session:
            yield session

    # -- what SageMaker has not, is refused before anything is sent ------------------------------------------------

    def test_a_pipeline_without_steps_succeeds(self, backend_session: BackendSession) -> None:
        with pytest.raises(SpecError, match="CML339"):
            backend_session.resources("sample_flow:empty")

    def test_maps_nest(self, backend_session: BackendSession) -> None:
        with pytest.raises(SpecError, match="CML333"):
            backend_session.resources("sample_flow:nested_maps")

    # -- what SageMaker does in its own way ------------------------------------------------------------------------

    def test_hopeless_trials_are_pruned(self, backend_session: BackendSession) -> None:
        """By its own rule: here only that the search ends well, and finds the best."""
        record = backend_session.run("sample_tuning:pruned")
        assert record.status == "succeeded"
        assert value(record, "learner", "best_parameters") == {"rate": 1}
        assert {one["state"] for one in value(record, "learner", "trials")} <= {"succeeded", "pruned"}

    def test_a_search_is_the_same_each_time(self, backend_session: BackendSession) -> None:
        """Where points are drawn beforehand. Bayesian ones depend on which of the parallel trials ended first."""
        first = backend_session.run("sample_tuning:random")
        anew = backend_session.run("sample_tuning:random", RunOptions(cache=False))
        assert states(anew) == {"parabola": "succeeded"}
        assert value(first, "parabola", "trials") == value(anew, "parabola", "trials")
        assert states(backend_session.run("sample_tuning:random")) == {"parabola": "cached"}

    def test_a_failing_item_fails_the_map_and_leaves_the_others_alone(self, backend_session: BackendSession) -> None:
        """What runs goes on to its end. What an item has not begun by then is not started any more."""
        record = backend_session.run("sample_flow:mapped_failure")
        found = states(record)
        assert record.status == "failed"
        assert [found[f"refuse[{index}]"] for index in range(4)] == ["succeeded", "succeeded", "failed", "succeeded"]
        assert {found[f"double[{index}]"] for index in (0, 1, 3)} <= {"succeeded", "skipped"}
        assert (found["each"], found["total"], found["double[2]"]) == ("failed", "skipped", "skipped")
        assert "three is refused" in record.reason
