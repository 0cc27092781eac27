"""The definition held against AWS's own service model before a byte is sent.

Every step's Arguments as a request of its operation (members, enums, patterns, ranges), every reference against the
response whose property it is, names, counts and sizes (facts: the service model; the published definition schema).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cloudml.errors import Diagnostic
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.expressions import every, is_expression, own_part, paths
from cloudml_sagemaker.service.model import input_shape, output_shape
from cloudml_sagemaker.service.shapes import problems

LARGEST = 1_048_576
"""Bytes of a definition (PipelineDefinition)."""
MOST_PARAMETERS = 200
LONGEST_ARGUMENT = 256
"""Characters of one argument of a container (ContainerArgument)."""

_OPERATIONS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName", "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", "TrainingJobName", "DescribeTrainingJob"),
    "Tuning": (
        "CreateHyperParameterTuningJob", "HyperParameterTuningJobName", "DescribeHyperParameterTuningJob",
    ),
}  # fmt: skip
_ITERATION = re.compile(r"(.+)-\d+")
_WORD = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']*)'\]|\[(\d+)\]")


def check(context: Context, document: Document) -> None:
    """Add to the findings whatever AWS would refuse."""
    definition = document["definition"]
    steps = {step["Name"]: step for step in every(definition["Steps"])}
    context.findings += _names(context, definition["Steps"])
    for step in steps.values():
        context.findings += _arguments(step)
        context.findings += _references(step, steps)
    context.findings += _sizes(context, definition)
    request = {**document, "PipelineDefinition": "{}", "ClientRequestToken": "0" * 32}
    del request["definition"]
    for problem in problems(input_shape("CreatePipeline"), request):
        context.findings.append(Diagnostic("CML338", f"pipeline {context.pipeline.name}", problem, "see the setting"))


def _names(context: Context, steps: list[Document]) -> Iterator[Diagnostic]:
    """Generated names may not be the author's; no name may be that of a loop's iteration (AWS's SDK, ForEachStep)."""
    seen: set[str] = set()
    bodies: set[str] = set()
    for step in every(steps):
        name = step["Name"]
        bodies.update(one["Name"] for one in step["Arguments"].get("ForEachBody") or [])
        if name in seen:
            author = context.parts.get(name, name)
            message = f"its part {name!r} has the name of another step"
            yield Diagnostic("CML335", f"step {author}", message, f"rename step {name!r}")
        seen.add(name)
    for name in sorted(seen):
        found = _ITERATION.fullmatch(name)
        if found and found[1] in bodies:
            message = f"the iterations of {found[1]!r}, which lies in a map, have such names"
            yield Diagnostic("CML335", f"step {name}", message, "rename it")


def _arguments(step: Document) -> Iterator[Diagnostic]:
    operation = _OPERATIONS.get(step["Type"])
    if operation is None:
        return
    name, job_name, _ = operation
    shape = input_shape(name)
    for problem in problems(shape, step["Arguments"], dynamic=is_expression, optional=frozenset({job_name})):
        hint = f"see {name} in the API reference; native={{'sagemaker': …}} is merged last"
        yield Diagnostic("CML338", f"step {step['Name']}", problem, hint)


def _references(step: Document, steps: dict[str, Document]) -> Iterator[Diagnostic]:
    for text in paths(own_part(step)):
        wrong = _path_problem(text, steps)
        if wrong:
            yield Diagnostic("CML343", f"step {step['Name']}", f"{text}: {wrong}", "see native={'sagemaker': …}")


def _path_problem(text: str, steps: dict[str, Document]) -> str | None:
    """What is wrong with a reference to a step's property."""
    root, _, rest = text.partition(".")
    if root != "Steps":
        return None
    name, *parts = [next(one for one in match.groups() if one is not None) for match in _WORD.finditer(f".{rest}")]
    step = steps.get(name)
    if step is None:
        return f"there is no step {name!r}"
    declared = _declared(step, parts)
    if declared is not None:
        return None if parts[declared[0]] in declared[1] else f"the step declares no {parts[declared[0]]!r}"
    operation = _OPERATIONS.get(step["Type"])
    return (
        f"a {step['Type']} step has no such property" if operation is None else _walk(output_shape(operation[2]), parts)
    )


def _declared(step: Document, parts: list[str]) -> tuple[int, list[str]] | None:
    """Where in a path the name of something stands that the step itself declares, and what it declares."""
    if parts[:1] == ["PropertyFiles"]:
        return 1, [one["PropertyFileName"] for one in step.get("PropertyFiles", [])]
    if parts[:1] == ["OutputParameters"]:
        return 1, [one["OutputName"] for one in step.get("OutputParameters", [])]
    if step["Type"] == "Processing" and parts[:2] == ["ProcessingOutputConfig", "Outputs"]:
        return 2, [one["OutputName"] for one in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]]
    return None


def _walk(shape: Any, parts: list[str]) -> str | None:
    for part in parts:
        if shape.type_name == "structure":
            if part not in shape.members:
                return f"{shape.name} has no member {part!r}"
            shape = shape.members[part]
        elif shape.type_name in ("list", "map"):
            shape = shape.member if shape.type_name == "list" else shape.value
        else:
            return f"{shape.name} is a plain value"
    return None


def _sizes(context: Context, definition: Document) -> Iterator[Diagnostic]:
    where = f"pipeline {context.pipeline.name}"
    size = len(json.dumps(definition, ensure_ascii=False, separators=(",", ":")).encode())
    if size > LARGEST:
        message = f"its definition has {size} bytes, and {LARGEST} are allowed"
        yield Diagnostic("CML339", where, message, "split the pipeline, or let steps share jobs: ml.group")
    if len(definition["Parameters"]) > MOST_PARAMETERS:
        message = f"it has {len(definition['Parameters'])} parameters, and {MOST_PARAMETERS} are allowed"
        yield Diagnostic("CML336", where, message, "put some of them into one of type json")
