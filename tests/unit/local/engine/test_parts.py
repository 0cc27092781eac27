"""Cache keys, retry policies, exits of processes, conditions in words, run parameters: small parts, one by one."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from cloudml.backend.parameters import bind_parameters
from cloudml.errors import SpecError
from cloudml_local.engine.attempts import Outcome, conclude, failure, retryable, tail
from cloudml_local.engine.graph import Graph
from cloudml_local.engine.key import differences, key_of, key_parts
from cloudml_local.engine.values import Resolver, Unresolved
from cloudml_local.engine.workers import Exit
from cloudml_local.state.store import Store

READS: dict[str, Any] = {
    "function": "steps:work",
    "files": [["steps.py", "a" * 64]],
    "inputs": [{"name": "x", "mode": "value", "type": "int"}],
    "outputs": [{"name": "output", "mode": "value", "type": "int"}],
    "environment": {"LEVEL": "1"},
}


def parts(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "lock": "l" * 64,
        "arguments": {"x": 1},
        "inputs": {"data": "sha256:ab"},
        "secrets": {"p": "crm"},
    }
    reads = {**READS, **changes.pop("reads", {})}
    given.update(changes)
    return key_parts(reads, given["lock"], given["arguments"], given["inputs"], given["secrets"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arguments": {"x": 2}}, "argument x changed: 1 -> 2"),
        ({"arguments": {"x": 1, "y": 3}}, "argument y is new"),
        ({"arguments": {}}, "argument x is gone"),
        ({"inputs": {"data": "sha256:cd"}}, "input data changed"),
        ({"lock": "m" * 64}, "lock file"),
        ({"secrets": {"p": "other"}}, "secret p changed"),
        ({"reads": {"function": "steps:other"}}, "function changed"),
        ({"reads": {"files": [["steps.py", "b" * 64]]}}, "code steps.py changed"),
        ({"reads": {"environment": {"LEVEL": "2"}}}, "environment variable LEVEL changed"),
        ({"reads": {"outputs": [{"name": "output", "mode": "value", "type": "str"}]}}, "type of output changed"),
        ({"reads": {"tuning": {"trials": 3}}}, "setting tuning is new"),
    ],
)
def test_whatever_can_change_a_result_changes_the_key_and_is_told(change: dict[str, Any], words: str) -> None:
    old, new = parts(), parts(**change)
    assert key_of(old) != key_of(new)
    [told] = differences(old, new)
    assert words in told


def test_the_same_parts_in_any_order_are_the_same_key() -> None:
    assert key_of(parts(arguments={"x": 1, "y": 2})) == key_of(parts(arguments={"y": 2, "x": 1}))
    assert differences(parts(), parts()) == []


POLICY = {
    "attempts": 4,
    "on": ["transient", "KeyError", "psycopg.OperationalError"],
    "delay": 2.0,
    "backoff": 3.0,
    "max_delay": 10.0,
}


@pytest.mark.parametrize(
    ("attempt", "kind", "exception", "wait"),
    [
        (1, "transient", "ConnectionError", 2.0),
        (2, "transient", "ConnectionError", 6.0),
        (3, "transient", "ConnectionError", 10.0),
        (4, "transient", "ConnectionError", None),
        (1, "error", "KeyError", 2.0),
        (1, "error", "psycopg.OperationalError", 2.0),
        (1, "error", "ValueError", None),
        (1, "crash", "Crashed", None),
    ],
)
def test_a_policy_says_whether_and_when_to_try_again(
    attempt: int, kind: str, exception: str, wait: float | None
) -> None:
    assert retryable(POLICY, attempt, failure(kind, exception, "")) == wait
    assert retryable(None, attempt, failure(kind, exception, "")) is None


def ended(
    tmp_path: Path, code: int, result: dict[str, Any] | None = None, why: dict[str, Any] | None = None
) -> Outcome:
    if result is not None:
        (tmp_path / "result.json").write_text(json.dumps(result))
    return conclude(tmp_path, Exit(1, code), Store(tmp_path / "objects"), [], why)


DONE: dict[str, Any] = {"status": "succeeded", "outputs": [], "values": {"output": 1}, "reports": [], "failure": None}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-signal.SIGKILL, "memory"),
        (-signal.SIGSEGV, "crash"),
        (-signal.SIGABRT, "crash"),
        (-signal.SIGHUP, "interrupted"),
        (-62, "interrupted"),
        (0, "crash"),
        (3, "crash"),
    ],
)
def test_a_process_without_result_is_told_by_its_exit(tmp_path: Path, code: int, kind: str) -> None:
    found = ended(tmp_path, code).failure
    assert found is not None and found["class"] == kind


def test_a_result_that_was_written_counts_though_the_process_died_after_it(tmp_path: Path) -> None:
    assert ended(tmp_path, -signal.SIGSEGV, DONE).status == "succeeded"


def test_a_result_counts_against_a_stop_but_not_against_a_timeout(tmp_path: Path) -> None:
    assert ended(tmp_path, 0, DONE, failure("interrupted", "Stopped", "")).status == "succeeded"
    late = ended(tmp_path, 0, DONE, failure("timeout", "Timeout", "late"))
    assert (late.status, late.reason) == ("failed", "Timeout: late")


def test_a_tail_is_short_however_long_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(str(index) for index in range(100_000)) + "\n")
    assert tail(log, 2) == ["99998", "99999"]
    assert tail(tmp_path / "nothing") == []


# -- values ---------------------------------------------------------------------------------------------------------


def resolver(**values: Any) -> tuple[Resolver, Any]:
    graph = Graph(
        [{"id": "made", "kind": "processing", "needs": [], "guards": [], "maps": [], "final": False, "reads": {}}]
    )
    [instance] = graph.start()
    instance.values = values

    class Registry:
        def metric(self, model: str, alias: str, metric: str) -> float | None:
            return {"auc": 0.8}.get(metric)

    return Resolver(graph, "toy-1", "2030-01-02T03:04:05+00:00", {"n": 3}, Registry(), Path), instance


def literal(value: Any) -> dict[str, Any]:
    return {"kind": "literal", "value": value}


def output(name: str, field: str | None = None) -> dict[str, Any]:
    return {"kind": "output", "step": "made", "output": name, "field": field, "collected": False}


def test_references_are_what_they_name() -> None:
    found, instance = resolver(output={"a": [1, 2]}, metrics={"auc": 0.9})
    assert found.json(literal([1]), instance) == [1]
    assert found.json({"kind": "parameter", "name": "n"}, instance) == 3
    assert found.json(output("metrics", "auc"), instance) == 0.9
    assert found.json(output("output", "a"), instance) == [1, 2]
    assert found.json({"kind": "run", "field": "id"}, instance) == "toy-1"
    assert found.json({"kind": "run", "field": "time", "format": "%Y-%m-%d"}, instance) == "2030-01-02"
    quotient = {"kind": "arithmetic", "op": "div", "left": literal(3), "right": literal(2)}
    assert found.json(quotient, instance) == 1.5


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (output("output", "b"), "there is no 'b'"),
        (output("nothing"), "no output 'nothing'"),
        ({"kind": "secret", "name": "crm"}, "only be an argument"),
        ({"kind": "arithmetic", "op": "div", "left": literal(1), "right": literal(0)}, "division by zero"),
        ({"kind": "arithmetic", "op": "add", "left": literal(1), "right": literal("x")}, "cannot compute"),
    ],
)
def test_what_cannot_be_had_is_told(value: dict[str, Any], words: str) -> None:
    found, instance = resolver(output={"a": 1})
    with pytest.raises(Unresolved, match=words):
        found.json(value, instance)


def compare(op: str, left: Any, right: Any) -> dict[str, Any]:
    return {"kind": "compare", "op": op, "left": left, "right": right}


@pytest.mark.parametrize(
    ("op", "left", "right", "holds"),
    [
        ("lt", 1, 2, True), ("le", 2, 2, True), ("gt", 2, 2, False), ("ge", 2, 2, True), ("eq", 1, 1.0, True),
        ("ne", 1, 2, True), ("in", "a", ["a", "b"], True), ("in", "c", ["a", "b"], False),
    ],
)  # fmt: skip
def test_comparisons(op: str, left: Any, right: Any, holds: bool) -> None:
    found, instance = resolver()
    assert found.holds(compare(op, literal(left), literal(right)), instance)[0] is holds


@pytest.mark.parametrize(("missing", "holds"), [("pass", True), ("fail", False)])
def test_a_missing_champion_passes_or_fails_as_declared(missing: str, holds: bool) -> None:
    found, instance = resolver(metrics={"auc": 0.5})
    champion = {"kind": "champion", "model": "m", "alias": "champion", "metric": "f1", "missing": missing}
    outcome, words = found.holds(compare("gt", output("metrics", "auc"), champion), instance)
    assert outcome is holds and "no version of m" in words[0]
    known = {**champion, "metric": "auc"}
    assert found.holds(compare("gt", output("metrics", "auc"), known), instance) == (
        False,
        ["made.auc > champion(m).auc: 0.5 > 0.8 is false"],
    )


def test_conditions_combine() -> None:
    found, instance = resolver()
    yes, no = compare("eq", literal(1), literal(1)), compare("eq", literal(1), literal(2))
    for kind, conditions, holds in [("all", [yes, no], False), ("any", [no, yes], True), ("all", [yes, yes], True)]:
        assert found.holds({"kind": kind, "conditions": conditions}, instance)[0] is holds
    assert found.holds({"kind": "not", "condition": no}, instance)[0] is True
    with pytest.raises(Unresolved, match="cannot compare"):
        found.holds(compare("lt", literal(1), literal("x")), instance)


# -- parameters -----------------------------------------------------------------------------------------------------


def declared(type_: str, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"default": None, "required": False, "choices": [], "minimum": None, "maximum": None}
    return {"name": "value", "type": type_, **usual, **more}


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        ("int", "7", 7), ("float", "0.5", 0.5), ("float", 2, 2.0), ("bool", "yes", True), ("bool", "off", False),
        ("str", "x", "x"), ("path", "a/b", "a/b"), ("json", '{"a": [1]}', {"a": [1]}), ("json", [1], [1]),
    ],
)  # fmt: skip
def test_parameters_are_read_as_their_type(type_: str, given: Any, value: Any) -> None:
    assert bind_parameters([declared(type_)], {"value": given}) == {"value": value}


@pytest.mark.parametrize(
    ("parameter", "given"),
    [
        (declared("int"), "1.5"), (declared("int"), True), (declared("float"), "nan"), (declared("float"), "inf"),
        (declared("bool"), "maybe"), (declared("str"), 7), (declared("json"), "{"),
        (declared("int", minimum=3), 2), (declared("int", maximum=3), 4), (declared("str", choices=["a"]), "b"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(parameter: dict[str, Any], given: Any) -> None:
    with pytest.raises(SpecError) as caught:
        bind_parameters([parameter], {"value": given})
    assert [finding.code for finding in caught.value.diagnostics] == ["CML403"]
