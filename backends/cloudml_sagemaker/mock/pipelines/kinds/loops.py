"""ForEach: its body's steps run once for each item, as steps `BODY-INDEX` of their own.

Statuses, counts and properties as AWS's SDK documents them for ForEachStep.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.pipelines.decide import child
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Kind, Progress, StepFailed
from cloudml_sagemaker.mock.pipelines.room import Run

LIMIT = 100
"""Items of a list in a definition (AWS's SDK); held for the text of a list too."""


class LoopKind(Kind):
    """Finds its items; the driver starts the children and ends it by `over`."""

    def begin(self, attempt: Attempt) -> Progress:
        loop = attempt.step.loop
        if loop is None:
            raise StepFailed("ClientError: a ForEach step has no body")
        items = _items(attempt.resolve(loop.items))
        width = int(attempt.resolve(loop.max_concurrency))
        attempt.note("ForEach", InputItemCount=len(items), TotalStepCount=len(items) * len(loop.body))
        return Progress("Executing", updates={"_items": items, "_width": width})

    def properties(self, run: Run, record: Document) -> Document:
        from cloudml_sagemaker.mock.pipelines.kinds import properties

        step = run.definition.every[record["_step"]]
        body = step.loop.body if step.loop is not None else ()
        outputs = [
            {name: properties(run, run.steps[child(name, index)]) for name in body if child(name, index) in run.steps}
            for index in range(len(record["_items"]))
        ]
        told: Document = dict(record["Metadata"]["ForEach"])
        chosen = told.pop("Selector", None)
        found = {**told, "IterationOutputs": outputs}
        if chosen is not None:
            found["Selected"] = outputs[chosen["Index"]][chosen["StepName"]]
        return found

    def stop(self, run: Run, record: Document) -> Progress | None:
        return Progress("Stopping")

    def resume(self, attempt: Attempt) -> Progress:
        return Progress(attempt.record["StepStatus"]) if "_items" in attempt.record else self.begin(attempt)


def _items(found: Any) -> list[Any]:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            raise StepFailed("ClientError: the items of the ForEach step are no JSON list") from None
    if not isinstance(found, list):
        raise StepFailed("ClientError: the items of the ForEach step are no list")
    if len(found) > LIMIT:
        raise StepFailed(f"ClientError: the ForEach step has {len(found)} items, more than {LIMIT}")
    return found


def over(attempt: Attempt, status: str) -> Progress:
    """The loop's end: counts of its children, and the child that its Selector picks."""
    run, record = attempt.run, attempt.record
    loop = attempt.step.loop
    body = loop.body if loop is not None else ()
    names = [child(name, index) for index in range(len(record["_items"])) for name in body]
    ends = [run.steps[name]["StepStatus"] for name in names if name in run.steps]
    attempt.note(
        "ForEach",
        Status=status,
        SucceededStepCount=ends.count("Succeeded"),
        FailedStepCount=ends.count("Failed"),
        StoppedStepCount=ends.count("Stopped"),
    )
    if status == "Succeeded" and loop is not None and loop.pick is not None and record["_items"]:
        attempt.note("ForEach", Selector=_selected(attempt, loop.pick, loop.field))
    return Progress(status, "Step failure: One or multiple iterations failed" if status == "Failed" else "")


def _outputs(run: Run, index: int) -> Callable[[str], Document]:
    from cloudml_sagemaker.mock.pipelines.kinds import properties

    return lambda name: properties(run, run.steps[child(name, index)])


def _selected(attempt: Attempt, pick: str, field: Any) -> Document:
    """The iteration with the greatest or least value of the Selector's field; the first of equals."""
    values = []
    for index in range(len(attempt.record["_items"])):
        value = attempt.resolve_iteration(field, _outputs(attempt.run, index))
        try:
            values.append(float(value))
        except (TypeError, ValueError):
            raise StepFailed(
                f"ClientError: the Selector's field is no number in iteration {index}: {value!r}"
            ) from None
    best = max(values) if pick == "MaxBy" else min(values)
    step = str(field["Get"]).split(".")[1].split("[")[0]
    return {"StepName": step, "Index": values.index(best)}
