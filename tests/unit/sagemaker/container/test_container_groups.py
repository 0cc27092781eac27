"""Groups: several steps in one job, handing outputs to one another on the container's disk."""

from __future__ import annotations

from typing import Any

from container_lab import Lab, port

FIRST = {"kind": "job", "step": "first", "function": "steps:several",
         "outputs": [port("total", "int"), port("names", "list")]}  # fmt: skip
SECOND = {
    "kind": "job", "step": "second", "function": "steps:add", "outputs": [port("output", "float")],
    "arguments": {"left": {"member": "first", "port": "total"}, "right": {"literal": 0.5}},
}  # fmt: skip
BROKEN = {"kind": "job", "step": "broken", "function": "steps:broken", "outputs": [port("output", "int")]}


def compare(right: int) -> dict[str, Any]:
    left = {"member": "first", "port": "total", "field": None}
    return {"kind": "compare", "op": "gt", "left": left, "right": {"literal": right}}


def test_members_hand_on_their_outputs(processing: Lab) -> None:
    done = processing.run({"kind": "group", "members": [FIRST, SECOND]})
    assert done.returncode == 0, done.stderr
    assert (processing.outputs / "second" / "output" / "output.json").read_text() == "3.5"
    assert processing.record("first", "total")["format"] == "json"
    members = processing.result()["members"]
    assert members["first"]["values"] == {"total": 3, "names": ["a", "b"]}
    assert members["second"]["values"] == {"output": 3.5}


def test_a_member_that_fails_ends_the_group_and_is_its_failure(processing: Lab) -> None:
    assert processing.run({"kind": "group", "members": [BROKEN, FIRST]}).returncode == 1
    members = processing.result()["members"]
    assert (members["broken"]["status"], members["first"]["status"]) == ("failed", "skipped")
    assert processing.message().startswith("ValueError: count is 0")


def test_a_condition_takes_one_branch_and_skips_the_other(processing: Lab) -> None:
    fork = {"kind": "condition", "step": "gate", "condition": compare(2), "then": [SECOND], "otherwise": [BROKEN]}
    done = processing.run({"kind": "group", "members": [FIRST, fork]})
    assert done.returncode == 0, done.stderr
    members = processing.result()["members"]
    assert members["gate"]["values"]["branch"] == "then"
    assert members["gate"]["values"]["why"] == ["total > 2: 3 > 2 is true"]
    assert members["broken"]["status"] == "skipped"


def test_a_fail_member_ends_the_group_with_its_message(processing: Lab) -> None:
    fail = {"kind": "fail", "step": "stop", "message": "only {n} rows",
            "arguments": {"n": {"member": "first", "port": "total"}}}  # fmt: skip
    fork = {"kind": "condition", "step": "gate", "condition": compare(5), "then": [], "otherwise": [fail]}
    assert processing.run({"kind": "group", "members": [FIRST, fork, SECOND]}).returncode == 1
    assert processing.message() == "only 3 rows\n"
    assert processing.result()["members"]["second"]["status"] == "skipped"
