"""Random valid definitions end in the state that an interpreter of a few lines predicts.

Steps succeed or fail by design, branches go by parameters; DependsOn comes with and without run conditions. The switch
"branches-after-failure" stands on "start", so that the end does not depend on who is faster.
"""

from __future__ import annotations

import threading
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_lab import Lab, condition, definition, equals, function, get, on, parameter, processing

from cloudml_sagemaker.mock.pipelines.decide import ENDED, Plan, View, decide
from cloudml_sagemaker.mock.pipelines.definition import parse

Json = dict[str, Any]


@st.composite
def steps(draw: Any, most: int = 8) -> list[Json]:
    """Plain descriptions: name, whether it fails, whom it waits for and why, the branch it stands in."""
    made: list[Json] = []
    for number in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(["work", "work", "work", "if"]))
        ups = [one["name"] for one in made if one["kind"] == "work"]
        after = draw(st.lists(st.sampled_from(ups), unique=True, max_size=3)) if ups else []
        conditions = [one["name"] for one in made if one["kind"] == "if"]
        made.append(
            {
                "name": f"S{number}",
                "kind": kind,
                "fails": kind == "work" and draw(st.booleans()),
                "holds": draw(st.booleans()),
                "after": {up: draw(st.sampled_from(["Completed", "Completed", "Failed", "Any"])) for up in after},
                "branch": (draw(st.sampled_from(conditions)), draw(st.booleans()))
                if conditions and draw(st.booleans())
                else None,
            }
        )
    return made


def interpret(made: list[Json]) -> tuple[dict[str, str], str]:
    """What must come out: the steps are in an order in which each comes after those it waits for."""
    fires = {"Completed": {"Succeeded"}, "Failed": {"Failed"}, "Any": {"Succeeded", "Failed"}}
    ends: dict[str, str] = {}
    holds = {one["name"]: one["holds"] for one in made}
    for one in made:
        waits = [ends.get(up) in fires[why] for up, why in one["after"].items()]
        if one["branch"]:
            waits.append(ends.get(one["branch"][0]) == "Succeeded" and holds[one["branch"][0]] == one["branch"][1])
        if all(waits):
            ends[one["name"]] = "Failed" if one["fails"] else "Succeeded"
    saved = {up for one in made if one["name"] in ends for up, why in one["after"].items() if why != "Completed"}
    failed = {name for name, end in ends.items() if end == "Failed"}
    return ends, "Failed" if failed - saved else "CompletedWithFailures" if failed else "Succeeded"


def text(made: list[Json], work: Any) -> str:
    """The definition of such steps; `work` makes a step that fails or not."""
    places: dict[Any, list[Json]] = {}
    for one in reversed(made):
        after = [up if why == "Completed" else on(up, why) for up, why in one["after"].items()]
        if one["kind"] == "work":
            step = work(one["name"], one["fails"], after)
        else:
            check = [equals(get(f"Parameters.{one['name']}"), "yes")]
            yes, no = (places.get((one["name"], taken), []) for taken in (True, False))
            step = condition(one["name"], check, yes, no, **({"DependsOn": after} if after else {}))
        places.setdefault(one["branch"], []).insert(0, step)
    values = [parameter(one["name"], default="yes" if one["holds"] else "no") for one in made if one["kind"] == "if"]
    return definition(*places[None], parameters=values)


def job(name: str, fails: bool, after: list[Any]) -> Json:
    return processing(name, "exit 1" if fails else "exit 0", after)


def call(name: str, fails: bool, after: list[Any]) -> Json:
    return function(name, "bad" if fails else "good", after)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(made=steps())
def test_real_jobs_end_as_predicted(lab: Lab, made: list[Json]) -> None:
    _run(lab, made, job)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(made=steps(most=14))
def test_lambda_steps_end_as_predicted(lab: Lab, made: list[Json]) -> None:
    lab.lambdas.update(good=lambda event: {}, bad=lambda event: 1 / 0)
    _run(lab, made, call)


def _run(lab: Lab, made: list[Json], work: Any) -> None:
    lab.mock.world.switches.set("branches-after-failure", "start")
    done = lab.run(text(made, work))
    assert (done.statuses, done.status) == interpret(made)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(made=steps(most=12), limit=st.one_of(st.none(), st.integers(1, 3)), data=st.data())
def test_decisions_alone_end_as_predicted_in_whatever_order_steps_end(
    made: list[Json], limit: int | None, data: st.DataObject
) -> None:
    plan = Plan(parse(text(made, call)))
    by = {one["name"]: one for one in made}
    statuses: dict[str, str] = {}
    while True:
        outcomes = {name: by[name]["holds"] for name, end in statuses.items() if by[name]["kind"] == "if"}
        decision = decide(View(plan, dict(statuses), outcomes, limit=limit, hold=False))
        assert not set(decision.start) & set(statuses)
        if decision.end is not None:
            break
        statuses.update(dict.fromkeys(decision.start, "Executing"))
        running = sorted(name for name, status in statuses.items() if status not in ENDED)
        assert limit is None or len(running) <= limit
        assert running
        ended = data.draw(st.sampled_from(running))
        statuses[ended] = "Failed" if by[ended]["fails"] else "Succeeded"
    assert (statuses, decision.end) == interpret(made)


def test_a_pipeline_of_twenty_steps_a_hundred_times_at_once(lab: Lab) -> None:
    lock, calls = threading.Lock(), []

    def count(event: Json) -> Json:
        with lock:
            calls.append(event["step"])
        return {"n": len(event["step"])}

    lab.lambdas["count"] = count
    chain = [
        function(f"S{number}", "count", [f"S{number - 2}"] if number > 1 else [], ["n:Integer"], step=f"S{number}")
        for number in range(20)
    ]
    name = lab.create(definition(*chain))
    arns = [lab.start(name) for _ in range(100)]
    lab.settle()
    for arn in arns:
        done = lab.look(arn)
        assert (done.status, set(done.statuses.values()), len(done.steps)) == ("Succeeded", {"Succeeded"}, 20)
    assert sorted(calls) == sorted(f"S{number}" for number in range(20) for _ in range(100))
