"""Which tasks start: the table of the trigger policies in pipeline_spec.proto, and of the failure policies."""

from __future__ import annotations

import time

import pytest

from cloudml_vertex.mock.pipelines.decide import COMPLETED, Decision, Node, Plan, decide, ended, retry_delay

CHAIN = Plan([Node("a"), Node("b", ("a",)), Node("c", ("b",))])
EXIT = Plan([Node("a"), Node("b", ("a",)), Node("exit", ("a", "b"), COMPLETED)])


@pytest.mark.parametrize(
    ("plan", "states", "changed", "flags", "expected"),
    [
        (CHAIN, {}, None, {}, Decision(start=("a",))),
        (CHAIN, {"a": "RUNNING"}, None, {}, Decision()),
        (CHAIN, {"a": "SUCCEEDED"}, ["a"], {}, Decision(start=("b",))),
        (CHAIN, {"a": "SKIPPED"}, ["a"], {}, Decision(start=("b",))),
        (CHAIN, {"a": "FAILED"}, ["a"], {}, Decision(never=("b", "c"))),
        (CHAIN, {"a": "NOT_TRIGGERED"}, ["a"], {}, Decision(never=("b", "c"))),
        (CHAIN, {"a": "CANCELLED"}, ["a"], {}, Decision(never=("b", "c"))),
        (CHAIN, {"a": "SUCCEEDED", "b": "RUNNING"}, ["a"], {}, Decision()),
        (EXIT, {"a": "SUCCEEDED"}, ["a"], {}, Decision(start=("b",))),
        (EXIT, {"a": "FAILED"}, ["a"], {}, Decision(start=("exit",), never=("b",))),
        (EXIT, {"a": "SUCCEEDED", "b": "FAILED"}, ["b"], {}, Decision(start=("exit",))),
        (EXIT, {"a": "SUCCEEDED"}, None, {"halted": True}, Decision(start=("exit",), never=("b",))),
        (EXIT, {"a": "RUNNING"}, None, {"halted": True}, Decision(never=("b",))),
        (EXIT, {"a": "CANCELLED"}, None, {"closed": True}, Decision(never=("b", "exit"))),
    ],
)
def test_decisions(plan: Plan, states: dict, changed: list | None, flags: dict, expected: Decision) -> None:
    assert decide(plan, states, changed, **flags) == expected


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], "SUCCEEDED"),
        (["SUCCEEDED", "SKIPPED", "NOT_TRIGGERED"], "SUCCEEDED"),
        (["SUCCEEDED", "FAILED", "CANCELLED"], "FAILED"),
        (["SUCCEEDED", "CANCELLED"], "CANCELLED"),
    ],
)
def test_state_of_a_dag(states: list, state: str) -> None:
    assert ended(states) == state


def test_delays_double_up_to_the_limit() -> None:
    delays = [retry_delay(attempt, first=10, factor=2, most=60) for attempt in (1, 2, 3, 4, 5000)]
    assert delays == [10, 20, 40, 60, 60]


def test_a_chain_costs_what_it_is_long() -> None:
    size = 4000
    plan = Plan([Node("0")] + [Node(str(number), (str(number - 1),)) for number in range(1, size)])
    states: dict[str, str] = {}
    begin = time.process_time()
    for number in range(size):
        states[str(number)] = "SUCCEEDED"
        decide(plan, states, [str(number)])
    # Were every task looked at each time, these would be sixteen million looks.
    assert time.process_time() - begin < 1.0
