"""Random pipelines, driven without processes, against a reference written from the documentation."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudml import spec
from cloudml.backend.records import ENDED
from cloudml.testing.strategies import pipelines

sys.path.insert(0, str(Path(__file__).parent))

from fakes import Bench, FakeWorkers
from reference import Reference

QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def compute(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """What the strategies' functions return, by hand."""
    if function == "number":
        return {"output": given.get("seed", 0)}
    if function == "add":
        return {"output": given["first"] + given["second"] + given.get("bias", 1)}
    if function == "pair":
        return {"left": given["value"], "items": [given["value"], given["value"] + 1]}
    if function == "total":
        return {"output": sum(given["values"])}
    return {"metrics": {"value": float(given["value"])}}


def unlucky(name: str, seed: int, share: int) -> bool:
    """Whether a task fails, drawn from its name; never when `share` is zero."""
    return share > 0 and hashlib.sha256(f"{name} {seed}".encode()).digest()[0] % share == 0


class Trial:
    """One pipeline, driven and interpreted with the same fate."""

    def __init__(self, pipeline: spec.Pipeline, seed: int, share: int) -> None:
        self.pipeline, self.seed, self.share = pipeline, seed, share
        self.folder = Path(tempfile.mkdtemp(prefix="cloudml-bench-"))
        self.bench = Bench(self.folder)
        self.workers = FakeWorkers(self.perform, seed)

    def __enter__(self) -> Trial:
        self.run = self.bench.create(self.pipeline)
        self.states = self.bench.drive(self.run, self.workers)
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.close()
        shutil.rmtree(self.folder)

    def perform(self, envelope: dict[str, Any]) -> dict[str, Any]:
        if unlucky(envelope["step"], self.seed, self.share):
            raise ValueError("out of luck")
        function = envelope["function"].partition(":")[2]
        return compute(function, envelope["arguments"])

    def reference(self) -> Reference:
        def fate(name: str, function: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
            return None if unlucky(name, self.seed, self.share) else compute(function, arguments)

        return Reference(self.pipeline, {one.name: one.default for one in self.pipeline.parameters}, fate)


@QUICK
@given(pipelines(), st.integers(0, 1000), st.sampled_from([0, 4, 12]))
def test_every_state_is_what_the_reference_says(pipeline: spec.Pipeline, seed: int, share: int) -> None:
    with Trial(pipeline, seed, share) as trial:
        expected = trial.reference()
        assert trial.states == expected.states
        assert set(trial.states.values()) <= ENDED
        failed = "failed" in expected.states.values()
        assert trial.bench.status == ("failed" if failed else "succeeded")
        for name, values in expected.made.items():
            if expected.states[name] == "succeeded" and "metrics" not in values:
                assert trial.bench.journal.tasks(trial.run)[name]["vals"] == values


@QUICK
@given(pipelines(), st.integers(0, 1000), st.sampled_from([0, 6]))
def test_no_step_runs_twice_nor_before_what_it_reads(pipeline: spec.Pipeline, seed: int, share: int) -> None:
    with Trial(pipeline, seed, share) as trial:
        once = [one["step"] for one in trial.workers.started if "depth" not in one["arguments"]]
        assert len(once) == len(set(once))
        heard = [(event.task, event.status) for event in trial.bench.events if event.task is not None]
        ends = {name: place for place, (name, status) in enumerate(heard) if status in ENDED}
        begins = {name: place for place, (name, status) in reversed(list(enumerate(heard))) if status == "running"}
        for name, begun in begins.items():
            instance = trial.bench.driver.graph.instances[str(name)]
            for need in instance.needs:
                assert ends[need.id] < begun, f"{name} began before {need.id} had ended"
        last = [place for name, place in begins.items() if str(name).startswith("farewell")]
        finals = [
            place for name, place in begins.items() if trial.bench.driver.graph.instances[str(name)].template["final"]
        ]
        others = [
            place for name, place in ends.items() if not trial.bench.driver.graph.instances[str(name)].template["final"]
        ]
        assert not finals or not others or min(finals) > max(others)
        assert len(last) <= 1


@settings(QUICK, max_examples=20)
@given(pipelines(), st.integers(0, 1000))
def test_what_succeeded_is_not_run_again_by_resume(pipeline: spec.Pipeline, seed: int) -> None:
    with Trial(pipeline, seed, 5) as trial:
        finals = {name for name, one in trial.bench.driver.graph.instances.items() if one.template["final"]}
        done = {name for name, status in trial.states.items() if status == "succeeded"} - finals
        trial.share = 0
        second = FakeWorkers(trial.perform, seed + 1)
        states = trial.bench.drive(trial.run, second)
        assert states == trial.reference().states
        assert not done & {one["step"] for one in second.started}


@settings(QUICK, max_examples=10)
@given(pipelines(), st.integers(0, 1000))
def test_two_orders_of_ending_give_the_same_results(pipeline: spec.Pipeline, seed: int) -> None:
    with Trial(pipeline, seed, 0) as first, Trial(pipeline, seed + 1, 0) as second:
        kept = [
            {
                name: (task["status"], task["vals"], task["outputs"])
                for name, task in one.bench.journal.tasks(one.run).items()
            }
            for one in (first, second)
        ]
        assert kept[0] == kept[1]


def test_the_reference_disagrees_when_a_fate_differs() -> None:
    """The comparison above can fail: with another fate the states differ."""
    import cloudml as ml
    from cloudml.testing.strategies import add, number

    @ml.pipeline(name="small")
    def small() -> None:
        add(number(1), 2)

    with Trial(small.build(), 0, 0) as trial:
        assert trial.states == {"number": "succeeded", "add": "succeeded"}
        trial.share = 1
        assert trial.reference().states == {"number": "failed", "add": "skipped"}


def test_failures_in_maps_and_branches_are_what_the_reference_says() -> None:
    """Random pipelines seldom fail inside of a map; this one does so for most seeds."""
    import cloudml as ml
    from cloudml.testing.strategies import add, judge, number, pair, total

    @ml.pipeline(name="nested")
    def nested() -> None:
        with ml.map(pair(number(1)).items, parallel=1, name="each") as item:
            one = add(item, 1)
            with ml.when(judge(one).value > 3, name="large") as large:
                add.options(name="more")(one, 1)
            with large.otherwise():
                add.options(name="less")(one, -1)
        total(ml.collect(one))
        number.options(name="beside")(2)

    pipeline = nested.build()
    seen: set[str] = set()
    for seed in range(12):
        with Trial(pipeline, seed, 4) as trial:
            expected = trial.reference().states
            assert trial.states == expected
            seen.add(expected.get("each", ""))
    assert seen == {"succeeded", "failed", "skipped"}, "the seeds show every fate of the map"
