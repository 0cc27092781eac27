"""The steps of a definition in order: branches, maps, groups and finally blocks around what single steps become."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from cloudml import spec
from cloudml.remote.layout import shares_a_job
from cloudml_sagemaker.compile import alerts, conditions, control, monitors
from cloudml_sagemaker.compile.context import Context, Document, main_name, trains
from cloudml_sagemaker.compile.expressions import RESULT, every, get, join, own_part, paths, result_value, steps_read
from cloudml_sagemaker.compile.functions import emit_group, emit_processing
from cloudml_sagemaker.compile.jobs import Job, depends_on, headed, processing
from cloudml_sagemaker.compile.training import emit_training
from cloudml_sagemaker.compile.tuning import emit_tuning
from cloudml_sagemaker.compile.wiring import MOST_ITEMS, Wiring, static_items

_RESULT = re.compile(rf"Steps\.([A-Za-z0-9_-]+)\.PropertyFiles\.{RESULT}")

WIDEST = 50
"""MaxConcurrency of a ForEach step (AWS's SDK, ForEachStep)."""


def emit_steps(context: Context, steps: Sequence[spec.BaseStep]) -> list[Document]:
    """The steps of one list: of the pipeline, a branch or a body."""
    found: list[Document] = []
    for step in steps:
        if not isinstance(step, spec.FinallyStep):
            found += emit(context, step)
    return found


def emit(context: Context, step: spec.BaseStep) -> list[Document]:
    """What one step of the author's becomes."""
    return _EMITTERS[type(step)](context, step)


def emit_finally(context: Context, above: list[Document]) -> list[Document]:
    """Steps that run after the last ones above, however these ended (run conditions of AWS's SDK, TriggerCondition)."""
    if not context.layout.finals:
        return []
    last = [{"Step": name, "Trigger": "Any"} for name in ends(above)]
    found: list[Document] = []
    for block in context.layout.finals:
        for step in emit_steps(context, block.body):
            own = [name for name in step.get("DependsOn", []) if isinstance(name, str)]
            waits = [*last, *own]
            found.append({**step, "DependsOn": waits} if waits else step)
    return found


def declare_results(steps: list[Document]) -> None:
    """A property file over result.json for each step of which some Std:JsonGet reads it."""
    wanted = {found[1] for step in every(steps) for text in paths(own_part(step)) if (found := _RESULT.fullmatch(text))}
    file = {"PropertyFileName": RESULT, "OutputName": RESULT, "FilePath": "result.json"}
    for step in every(steps):
        if step["Name"] in wanted:
            step["PropertyFiles"] = [file]


def ends(steps: list[Document]) -> list[str]:
    """The names of the steps that no other step waits for."""
    waited: set[str] = set()
    for step in steps:
        waited |= steps_read({key: value for key, value in step.items() if key != "DependsOn"}) - {step["Name"]}
        waited.update(name for name in step.get("DependsOn", []) if isinstance(name, str))
    return [step["Name"] for step in steps if step["Name"] not in waited]


def _condition(context: Context, step: spec.ConditionStep) -> list[Document]:
    if step.name in context.layout.guarded:
        return [control.decide(context, step), *emit_steps(context, (*step.then, *step.otherwise))]
    found: list[Document] = []
    native = conditions.native(context, step.condition)
    if native is None:
        decision = control.decide(context, step)
        found.append(decision)
        holds = result_value(decision["Name"], "values", "holds")
        native = [{"Type": "Equals", "LeftValue": holds, "RightValue": True}]
    position = context.position(step.name)
    written = headed(step, context.name(step.name), "Condition")
    written["Arguments"] = {
        "Conditions": native,
        "IfSteps": emit_steps(context, step.then),
        "ElseSteps": emit_steps(context, step.otherwise),
    }
    if after := depends_on(context, Job(written["Name"], position, Wiring(context, position), {})):
        written["DependsOn"] = after
    return [*found, written]


def _group(context: Context, step: spec.GroupStep) -> list[Document]:
    return emit_group(context, step) if shares_a_job(step) else emit_steps(context, step.body)


def _map(context: Context, step: spec.MapStep) -> list[Document]:
    position = context.position(step.name)
    if position.map is not None:
        message = f"it lies in map {position.map.name!r}, and a ForEach body holds no ForEach"
        hint = "go over one list of pairs, or let a function work on the inner list"
        context.find("CML333", step.name, message, hint)
        return []
    found: list[Document] = []
    if static_items(context, step):
        assert isinstance(step.items, spec.LiteralValue)
        assert isinstance(step.items.value, list)
        count = len(step.items.value)
        if count > MOST_ITEMS:
            message = f"it goes over {count} items, and a ForEach step over {MOST_ITEMS} at most"
            context.find("CML339", step.name, message, "give each iteration several items")
        items: Any = list(range(count))
    else:
        counted = _items(context, step)
        found.append(counted)
        items = result_value(counted["Name"], "values", "indices")
    written = headed(step, context.name(step.name), "ForEach")
    written["Arguments"] = {
        "IterableItems": items,
        "MaxConcurrency": min(WIDEST, step.parallel or WIDEST),
        "ForEachBody": emit_steps(context, step.body),
    }
    if after := depends_on(context, Job(written["Name"], position, Wiring(context, position), {})):
        written["DependsOn"] = after
    return [*found, written]


def _items(context: Context, step: spec.MapStep) -> Document:
    """The job that counts the items.

    It leaves a marker in each folder that is collected: a folder of S3 exists only when something lies in it, and the
    list may be empty.
    """
    position = context.position(step.name)
    wiring = Wiring(context, position)
    inside = [pair for pair in context.layout.collected if context.position(pair[0]).map is step]
    folders = dict.fromkeys(_folder(context, *pair) for pair in inside)
    marks = {f"mark-{number}": folder for number, folder in enumerate(folders)}
    action = {"name": "items", "items": wiring.value(step.items), "limit": MOST_ITEMS, "markers": list(marks)}
    outputs = [{"name": "items", "type": "list", "mode": "value", "fields": []}]
    name = context.name(step.name, "items")
    job = Job(name, position, wiring, control.control(action, outputs), "items")
    # Without markers the list is all that it makes: the same input gives the same list, and the body may be reused.
    job.cache = spec.Cache(enabled=not marks)
    run = (f"{context.place.base}/runs", get("Execution.PipelineExecutionId"))
    job.outputs = {"items": None, **{mark: join("/", *run, *folder, "items") for mark, folder in marks.items()}}
    return processing(context, job)


def _folder(context: Context, step: str, output: str) -> tuple[str, ...]:
    """The folder below the run's in which the items of a collected output lie."""
    position = context.position(step)
    if position.job is not None:
        return context.name(position.job.name), step
    if trains(context, position.step):
        return (main_name(context, step),)
    return main_name(context, step), output


_EMITTERS: dict[type[spec.BaseStep], Callable[[Context, Any], list[Document]]] = {
    spec.ProcessingStep: emit_processing,
    spec.TrainingStep: emit_training,
    spec.TuningStep: emit_tuning,
    spec.BatchPredictionStep: control.emit_batch,
    spec.ConditionStep: _condition,
    spec.MapStep: _map,
    spec.GroupStep: _group,
    spec.RegisterStep: control.emit_register,
    spec.ApproveStep: control.emit_approve,
    spec.DeployStep: control.emit_deploy,
    spec.VerifyStep: control.emit_verify,
    spec.NotifyStep: alerts.emit_notify,
    spec.MonitorStep: monitors.emit_monitor,
    spec.FailStep: control.emit_fail,
}
