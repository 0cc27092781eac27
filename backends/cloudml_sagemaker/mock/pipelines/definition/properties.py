"""Whether what a `Get` names is there: parameters, variables, properties of steps by the shape of their responses."""

from __future__ import annotations

from typing import Any

from cloudml_sagemaker.mock.pipelines.definition.expressions import Reference, Segment, is_expression, segments
from cloudml_sagemaker.mock.pipelines.definition.kinds import EXECUTION, KINDS
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Step
from cloudml_sagemaker.service.model import input_shape, output_shape

KEYS = (
    "OutputName",
    "InputName",
    "ChannelName",
    "VariantName",
    "MetricName",
    "PropertyFileName",
    "Name",
    "Key",
    "ContainerHostname",
)
"""Members by which `['...']` finds an item of a list, in the order in which they are tried."""

MOST_SUMMARIES = 50
"""Training jobs of a tuning job that `TrainingJobSummaries[k]` reaches (SDK, TuningStep.get_top_model_s3_uri)."""

EXPERIMENT = frozenset({"ExperimentName", "TrialName"})


def problem(definition: Definition, reader: Step | None, reference: Reference) -> str | None:
    """What is wrong with a reference of the step `reader` (None: of the pipeline itself); None when nothing is.

    Only whether what is named exists: whether `reader` may name it is a matter of the graph.
    """
    if reference.root == "Steps":
        return _of_step(definition, reference)
    name, rest = reference.name, reference.path[1:]
    if reference.root == "ForEach":
        if reader is None or reader.body_of is None:
            return f"{reference.text} has a value in a ForEach body only"
        return None if name == "CurrentItem" else f"unknown reference {reference.text}"
    if reference.root == "IterationOutput":
        return f"{reference.text} has a value in the Selector of a ForEach step only"
    known = {
        "Parameters": definition.parameters,
        "Execution": EXECUTION,
        "PipelineExperimentConfig": EXPERIMENT if definition.experiment else {},
    }[reference.root]
    if name not in known or rest:
        kind = {"Parameters": "parameter", "Execution": "execution variable"}.get(reference.root, "member")
        return f"{reference.text} names an undeclared {kind}"
    return None


def _of_step(definition: Definition, reference: Reference) -> str | None:
    step = definition.every.get(reference.name)
    if step is None:
        return f"{reference.text} names step {reference.name!r}, which does not exist"
    if step.type == "Fail":
        return f"{reference.text}: a Fail step has no properties"
    if reference.property_file:
        return _property_file(step, str(reference.path[2].value), reference.text)
    return of_step(definition, step, reference.path[1:], reference.text)


def _property_file(step: Step, name: str, text: str) -> str | None:
    if "PropertyFiles" not in KINDS[step.type].members:
        return f"{text}: only a Processing step has property files"
    return None if name in step.property_files else f"{text} names an undeclared property file"


def of_step(definition: Definition, step: Step, path: tuple[Segment, ...], text: str) -> str | None:
    """What is wrong with `path` as a property of `step`."""
    if not path:
        return f"{text} names no property of the step"
    kind, first = KINDS[step.type], str(path[0].value)
    if step.type == "ForEach" and first in {"IterationOutputs", "Selected"}:
        return _of_loop(definition, step, path, text)
    if first in kind.properties:
        return _plain(step, path, text)
    for operation in kind.describes:
        shape = output_shape(operation)
        if first in shape.members:
            wrong = _walk(shape, path) or _beyond(path)
            return f"{text}: {wrong}" if wrong else _literal(step, path, text)
    return f"{text}: a {step.type} step has no property {first!r}"


def _plain(step: Step, path: tuple[Segment, ...], text: str) -> str | None:
    if path[0].value == "OutputParameters":
        if len(path) != 2 or path[1].value not in step.outputs:
            return f"{text} names no declared output parameter of step {step.name!r}"
        return None
    return None if len(path) == 1 else f"{text} goes deeper than a plain value"


def _of_loop(definition: Definition, step: Step, path: tuple[Segment, ...], text: str) -> str | None:
    if step.loop is None:
        return None
    if path[0].value == "Selected":
        chosen = definition.every.get(selected(step) or "")
        return f"{text}: the step has no Selector" if chosen is None else of_step(definition, chosen, path[1:], text)
    body = definition.every.get(str(path[2].value)) if len(path) > 2 else None
    if body is None or path[1].kind != "index" or body.name not in step.loop.body:
        return f"{text} must be Steps.{step.name}.IterationOutputs[<i>].<body step>.<property>"
    return of_step(definition, body, path[3:], text)


def selected(step: Step) -> str | None:
    """The body step that a ForEach step's Selector compares; None without one."""
    text = step.loop.field.get("Get") if step.loop and isinstance(step.loop.field, dict) else None
    parsed = segments(text) if isinstance(text, str) else None
    return str(parsed[1][0].value) if parsed and parsed[0] == "IterationOutput" and parsed[1] else None


def _walk(shape: Any, path: tuple[Segment, ...]) -> str | None:
    for segment in path:
        if shape.type_name == "structure":
            if segment.kind != "member" or segment.value not in shape.members:
                return f"{shape.name} has no member {segment.value!r}"
            shape = shape.members[segment.value]
        elif shape.type_name == "list":
            if segment.kind == "member" or (segment.kind == "key" and not _keyed(shape.member)):
                return f"items of {shape.name} cannot be found by {segment}"
            shape = shape.member
        elif shape.type_name == "map":
            if segment.kind == "index":
                return f"{shape.name} is a map, without an item {segment}"
            shape = shape.value
        else:
            return f"{shape.name} is a plain value, without {segment}"
    return None


def _keyed(shape: Any) -> bool:
    return shape.type_name == "structure" and any(key in shape.members for key in KEYS)


def _beyond(path: tuple[Segment, ...]) -> str | None:
    indexed = path[0].value == "TrainingJobSummaries" and len(path) > 1 and path[1].kind == "index"
    if indexed and int(path[1].value) >= MOST_SUMMARIES:
        return f"only the first {MOST_SUMMARIES} training jobs can be named"
    return None


def _literal(step: Step, path: tuple[Segment, ...], text: str) -> str | None:
    """A response repeats the request: what the Arguments spell out must hold the items that are named."""
    operation = KINDS[step.type].operation
    if operation is None or path[0].value not in input_shape(operation).members:
        return None
    value: Any = step.arguments
    for segment, following in zip(path, [*path[1:], None], strict=True):
        if is_expression(value):
            return None
        if isinstance(value, list):
            found = item(value, segment)
            if found is None:
                known = not any(map(is_expression, value))
                return f"{text}: step {step.name!r} sets no item {segment}" if known else None
            value = found
        else:
            value = value.get(str(segment.value)) if isinstance(value, dict) else None
        if value is None:
            # The service fills in plain members, but no items of lists that the request leaves out.
            items = following is not None and following.kind != "member"
            return f"{text}: step {step.name!r} sets no {segment.value!r}" if items else None
    return None


def item(values: list[Any], segment: Segment) -> Any:
    """The item of a list that a segment names, by position or by the first of `KEYS` that its items have; or None."""
    if isinstance(segment.value, int):
        return values[segment.value] if segment.value < len(values) else None
    for value in values:
        if isinstance(value, dict):
            key = next((name for name in KEYS if name in value), None)
            if key is not None and value[key] == segment.value:
                return value
    return None
