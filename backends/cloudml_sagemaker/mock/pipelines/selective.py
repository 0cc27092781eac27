"""Selective execution: some steps run, the results of others are taken from an earlier execution.

API reference, SelectiveExecutionConfig; developer guide, "Selective execution of pipeline steps".
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.definition import Definition, between, sources
from cloudml_sagemaker.mock.pipelines.room import Room, room_of

_COPIED = ("Metadata", "StartTime", "EndTime", "AttemptCount", "_job", "_name", "_outputs", "_outcome", "_check")


_SOURCES = frozenset({"Succeeded", "Failed", "CompletedWithFailures"})
"""Statuses of executions whose results can be taken (API reference, SelectiveExecutionConfig)."""


@dataclass(frozen=True)
class Choice:
    """`steps` run; of `taken`, `source` (an execution's ARN) gives the results."""

    steps: frozenset[str]
    taken: frozenset[str]
    source: str | None
    parameters: Document


def choose(call: Call, pipeline: Document, definition: Definition) -> Choice | None:
    """What a request selects; None when it selects nothing. Raises ValidationException."""
    config = call.params.get("SelectiveExecutionConfig")
    if config is None:
        return None
    named = [step["StepName"] for step in config["SelectedSteps"]]
    if len(set(named)) != len(named):
        raise validation("SelectedSteps names a step twice.")
    for name in named:
        step = definition.every.get(name)
        if step is None or step.body_of is not None:
            raise validation(f"The selected step {name} does not exist in the pipeline definition.")
    steps = _with_branches(definition, named)
    missing = sorted(between(definition, steps))
    if missing:
        raise validation(f"All steps between two selected steps must be selected too: {', '.join(missing)}.")
    taken = sources(definition, steps)
    source = config.get("SourcePipelineExecutionArn")
    if source is None:
        readers = sorted(name for name in steps if definition.every[name].references & taken)
        if readers:
            # AWS's words, as sagemaker-python-sdk issue 4444 saw them.
            raise validation(
                "Invalid SourcePipelineExecutionArn: null. "
                f"The selected steps [{', '.join(readers)}] have dependencies on [{', '.join(sorted(taken))}]"
            )
        return Choice(steps, frozenset(), None, {})
    record = _source(call, pipeline, source)
    done = room_of(call.world).index.of(call.table(records.STEPS), source)
    for name in sorted(taken):
        if done.get(name, {}).get("StepStatus") != "Succeeded" and _needed(definition, steps, name):
            raise validation(f"The step {name} did not succeed in the source execution {source}.")
    return Choice(steps, frozenset(name for name in taken if name in done), source, record["_parameters"])


def _needed(definition: Definition, steps: frozenset[str], name: str) -> bool:
    return any(name in definition.every[step].references for step in steps)


def _with_branches(definition: Definition, named: list[str]) -> frozenset[str]:
    """The selected steps, and of a selected Condition both branches, whichever it will take."""
    found, waiting = set(named), list(named)
    while waiting:
        step = definition.every[waiting.pop()]
        inner = set(step.if_steps + step.else_steps) - found
        found |= inner
        waiting += inner
    return frozenset(found)


def _source(call: Call, pipeline: Document, arn: str) -> Document:
    record = call.table(records.EXECUTIONS).get(arn)
    if record is None or record["PipelineArn"] != pipeline["PipelineArn"]:
        raise validation(f"The source execution {arn} is not one of pipeline {pipeline['PipelineName']}.")
    status = record["PipelineExecutionStatus"]
    if status not in _SOURCES:
        raise validation(f"The source execution {arn} must have succeeded or failed; its status is {status}.")
    return record


def parameters(chosen: Choice | None, given: list[Document]) -> list[Document]:
    """The parameters of the start: those of the source execution, but for what is given."""
    if chosen is None or chosen.source is None:
        return given
    named = {item["Name"] for item in given}
    kept = [{"Name": name, "Value": _wire(value)} for name, value in chosen.parameters.items() if name not in named]
    return kept + given


def _wire(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def take_over(room: Room, scope: Scope, arn: str, definition: Definition, chosen: Choice) -> None:
    """Put the records of the source's steps into the new execution."""
    table = room.world.table(records.STEPS, scope)
    done = room.index.of(table, chosen.source or "")
    for name in definition.every:
        source = done.get(name)
        if name not in chosen.taken or source is None or source["StepStatus"] != "Succeeded":
            continue
        record: Document = {
            "StepName": name,
            **{key: source[key] for key in ("StepDisplayName", "StepDescription", *_COPIED) if key in source},
            "SelectiveExecutionResult": {"SourcePipelineExecutionArn": chosen.source},
            "StepStatus": "Succeeded",
            "_execution": arn,
            "_step": name,
            "_type": definition.every[name].type,
        }
        room.index.put(table, record)
