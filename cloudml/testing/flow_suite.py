"""Conformance: order, branches, maps, groups, finally blocks. Expectations are arithmetic on the samples' functions."""

from __future__ import annotations

from cloudml.backend.records import DONE, ENDED, Event, Listener
from cloudml.testing.harness import BackendSession, digests, states, task, value


class FlowSuite:
    """What the shapes of a pipeline mean."""

    def test_a_chain_passes_values_on(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:chain", count=4)
        assert record.status == "succeeded"
        assert value(record, "numbers") == [1, 2, 3, 4]
        assert value(record, "double") == 2 * (1 + 2 + 3 + 4)
        assert task(record, "double").metrics == {"output": 20}

    def test_the_same_values_have_the_same_digests_everywhere(self, backend_session: BackendSession) -> None:
        first = digests(backend_session.run("sample_flow:chain", count=4))
        other = digests(backend_session.run("sample_flow:diamond"))
        assert first["double"] != {} and first["double"] != first["total"]
        assert other["start"]["output"] == _json_digest("2")
        assert first["double"]["output"] == _json_digest("20")

    def test_a_diamond_joins(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:diamond")
        assert value(record, "join") == (2 * 2) + (2 + 5)
        assert set(task(record, "join").needs) == {"left", "right"}

    def test_parameters_have_defaults_and_are_read_from_text(self, backend_session: BackendSession) -> None:
        assert value(backend_session.run("sample_flow:chain"), "total") == 10
        record = backend_session.run("sample_flow:chain", count="2")
        assert (value(record, "total"), record.parameters) == (3, {"count": 2})

    def test_a_pipeline_without_steps_succeeds(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:empty")
        assert (record.status, record.tasks) == ("succeeded", ())

    def test_a_true_condition_runs_its_steps_and_skips_the_others(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:branches", limit=5)
        found = states(record)
        assert record.status == "succeeded"
        assert {name: found[name] for name in ("yes", "deep", "shallow", "no")} == {
            "yes": "succeeded",
            "deep": "succeeded",
            "shallow": "skipped",
            "no": "skipped",
        }
        assert (value(record, "yes"), value(record, "deep")) == (12, 7)

    def test_a_false_condition_skips_all_that_lies_in_it(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:branches", limit=6)
        found = states(record)
        assert record.status == "succeeded"
        assert {found[name] for name in ("yes", "inner", "deep", "shallow")} == {"skipped"}
        assert value(record, "no") == 106
        assert "false" in task(record, "yes").reason

    def test_what_waits_for_a_branch_runs_after_all_that_lies_in_it(self, backend_session: BackendSession) -> None:
        for limit, taken in ((5, "deep"), (6, "no")):
            heard: list[str | None] = []
            record = backend_session.run("sample_flow:branches", listener=_ends(heard), limit=limit)
            found = states(record)
            assert (found["behind"] in DONE, found[taken]) == (True, "succeeded")
            assert heard.index("behind") > max(heard.index(name) for name in ("yes", "no", "deep", "shallow"))

    def test_conditions_compute_with_fields_of_values(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:arithmetic", offset=2)
        assert (value(record, "right"), value(record, "more")) == (6, 18)
        assert states(backend_session.run("sample_flow:arithmetic", offset=3))["right"] == "skipped"

    def test_a_map_runs_its_steps_once_an_item(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:mapped", count=4)
        assert record.status == "succeeded"
        assert [value(record, f"double[{index}]") for index in range(4)] == [2, 4, 6, 8]
        assert value(record, "total") == sum(2 * item + item for item in (1, 2, 3, 4))

    def test_a_map_over_a_literal_reads_fields_of_its_items(self, backend_session: BackendSession) -> None:
        assert value(backend_session.run("sample_flow:mapped_literal"), "total") == 2 * (1 + 2)

    def test_a_map_over_nothing_collects_nothing(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:mapped", count=0)
        assert record.status == "succeeded"
        assert value(record, "total") == 0
        assert not [name for name in states(record) if "[" in name]

    def test_a_failing_item_fails_the_map_and_leaves_the_others_alone(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:mapped_failure")
        found = states(record)
        assert record.status == "failed"
        assert [found[f"refuse[{index}]"] for index in range(4)] == ["succeeded", "succeeded", "failed", "succeeded"]
        assert [found[f"double[{index}]"] for index in range(4)] == ["succeeded", "succeeded", "skipped", "succeeded"]
        assert (found["each"], found["total"], found["beside"]) == ("failed", "skipped", "succeeded")
        assert "three is refused" in task(record, "refuse[2]").reason

    def test_branches_are_decided_for_each_item(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:mapped_branches")
        found = states(record)
        assert record.status == "succeeded"
        assert [found[f"double[{index}]"] for index in range(4)] == ["skipped", "skipped", "succeeded", "succeeded"]
        assert [found[f"add[{index}]"] for index in range(4)] == ["succeeded", "succeeded", "skipped", "skipped"]
        assert (value(record, "double[3]"), value(record, "add[0]")) == (8, 11)

    def test_maps_nest(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:nested_maps")
        found = states(record)
        assert record.status == "succeeded"
        made = {name: value(record, name) for name in found if name.startswith("double")}
        assert made == {"double[0][0]": 2, "double[0][1]": 4, "double[1][0]": 6}
        assert [found[f"rows[{index}]"] for index in range(3)] == ["succeeded"] * 3

    def test_what_waits_for_a_group_runs_though_a_branch_in_it_was_not_taken(
        self, backend_session: BackendSession
    ) -> None:
        record = backend_session.run("sample_flow:grouped")
        found = states(record)
        assert record.status == "succeeded"
        assert (found["first"], found["inside"], found["behind"]) == ("succeeded", "skipped", "succeeded")

    def test_a_finally_block_runs_after_success(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:with_exit")
        assert record.status == "failed", "three is refused"
        assert states(record)["halt"] == "skipped"
        assert (value(record, "always"), value(record, "with_data")) == (42, 84)

    def test_a_finally_block_runs_after_fail_which_stops_the_rest(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:with_exit", fails=True)
        assert record.status == "failed"
        assert "asked to fail at 2" in record.reason
        assert states(record)["halt"] == "failed"
        assert states(record)["refuse"] in ("skipped", "stopped", "failed")
        assert value(record, "with_data") == 84

    def test_a_message_is_filled_in(self, backend_session: BackendSession) -> None:
        record = backend_session.run("sample_flow:messages")
        assert record.status == "succeeded"
        assert task(record, "tell").reason == "the value is 8.0"

    def test_listeners_hear_every_task_begin_and_end(self, backend_session: BackendSession) -> None:
        heard: list[tuple[str | None, str]] = []
        backend_session.run("sample_flow:diamond", listener=lambda event: heard.append((event.task, event.status)))
        for name in ("start", "left", "right", "join"):
            assert [status for task, status in heard if task == name] == ["running", "succeeded"]
        assert heard[0] == (None, "running") and heard[-1] == (None, "succeeded")
        assert heard.index(("start", "succeeded")) < heard.index(("left", "running"))


def _ends(heard: list[str | None]) -> Listener:
    """A listener that keeps the names of tasks in the order in which they end."""

    def listen(event: Event) -> None:
        if event.status in ENDED:
            heard.append(event.task)

    return listen


def _json_digest(text: str) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
