"""Tasks as written: `PipelineTaskSpec`, one by one; what they refer to is checked afterwards (`checks`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.definition.cel import CelError
from cloudml_vertex.mock.pipelines.definition.conditions import Selector, selector
from cloudml_vertex.mock.pipelines.definition.model import (
    COMPLETED,
    SUCCEEDED,
    Constant,
    FinalStatus,
    FromInput,
    FromTask,
    Iterator,
    Retry,
    Source,
    Task,
)
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.values import native, plain

_BACKOFF, _FACTOR, _MAX = 0.0, 2.0, 3600.0
"""Defaults of RetryPolicy: no first wait, factor 2, at most an hour (pipeline_spec.proto)."""

_STRATEGIES = {0: SUCCEEDED, 1: SUCCEEDED, 2: COMPLETED}


@dataclass(frozen=True)
class Written:
    """A task as written: its condition is still a text."""

    task: Task
    condition: str
    path: str


def written(key: str, spec: Any, path: str, problems: Problems) -> Written:
    """Read one task."""
    parameters = _parameters(spec.inputs, path, problems)
    artifacts = _artifacts(spec.inputs, path, problems)
    sources = [*parameters.values(), *artifacts.values()]
    needed = [source.task for source in sources if isinstance(source, FromTask | FinalStatus)]
    policy = spec.trigger_policy
    if policy.strategy not in _STRATEGIES:
        problems.add(f"{path}.triggerPolicy.strategy", f"{policy.strategy} is no strategy")
    if not spec.component_ref.name:
        problems.add(f"{path}.componentRef.name", "is required")
    limit = spec.iterator_policy.parallelism_limit
    if limit < 0:
        problems.add(f"{path}.iteratorPolicy.parallelismLimit", "must not be negative; 0 is no limit")
    task = Task(
        key=key,
        name=spec.task_info.name or key,
        component=spec.component_ref.name,
        parameters=parameters,
        artifacts=artifacts,
        dependent=tuple(spec.dependent_tasks),
        upstream=tuple(dict.fromkeys([*spec.dependent_tasks, *needed])),
        cache=spec.caching_options.enable_cache,
        cache_key=spec.caching_options.cache_key,
        retry=_retry(spec, path, problems),
        strategy=_STRATEGIES.get(policy.strategy, SUCCEEDED),
        iterator=_iterator(spec, path, problems),
        parallelism=max(limit, 0),
    )
    if spec.HasField("iterator_policy") and task.iterator is None and limit:
        problems.add(f"{path}.iteratorPolicy", "is for tasks with an iterator")
    return Written(task, policy.condition, path)


def _parameters(inputs: Any, path: str, problems: Problems) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name, spec in sorted(inputs.parameters.items()):
        where = within(f"{path}.inputs.parameters", name)
        expression = _selector(spec.parameter_expression_selector, where, problems)
        match spec.WhichOneof("kind"):
            case "task_output_parameter":
                of = spec.task_output_parameter
                found[name] = FromTask(of.producer_task, of.output_parameter_key, expression)
            case "runtime_value":
                source = _runtime_value(spec.runtime_value, where, problems)
                found[name] = source if expression is None else type(source)(*_first(source), expression)
            case "component_input_parameter":
                found[name] = FromInput(spec.component_input_parameter, expression)
            case "task_final_status":
                found[name] = FinalStatus(spec.task_final_status.producer_task, expression)
            case _:
                problems.add(
                    where, "requires one of taskOutputParameter, runtimeValue, componentInputParameter, taskFinalStatus"
                )
    return found


def _first(source: Constant | FromInput) -> tuple[Any]:
    return (source.value,) if isinstance(source, Constant) else (source.name,)


def _artifacts(inputs: Any, path: str, problems: Problems) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name, spec in sorted(inputs.artifacts.items()):
        where = within(f"{path}.inputs.artifacts", name)
        match spec.WhichOneof("kind"):
            case "task_output_artifact":
                of = spec.task_output_artifact
                found[name] = FromTask(of.producer_task, of.output_artifact_key)
            case "component_input_artifact":
                found[name] = FromInput(spec.component_input_artifact)
            case _:
                problems.add(where, "requires a taskOutputArtifact or a componentInputArtifact")
    return found


def _selector(text: str, where: str, problems: Problems) -> Selector | None:
    if not text:
        return None
    try:
        return selector(text)
    except CelError as error:
        problems.add(f"{where}.parameterExpressionSelector", str(error))
        return None


def _runtime_value(value: Any, where: str, problems: Problems) -> Constant | FromInput:
    match value.WhichOneof("value"):
        case "constant":
            return Constant(native(value.constant))
        case "constant_value":
            kind = value.constant_value.WhichOneof("value")
            return Constant(None if kind is None else plain(getattr(value.constant_value, kind)))
        case "runtime_parameter":
            return FromInput(value.runtime_parameter)
    problems.add(f"{where}.runtimeValue", "requires a constant or a runtimeParameter")
    return Constant(None)


def _retry(spec: Any, path: str, problems: Problems) -> Retry | None:
    if not spec.HasField("retry_policy"):
        return None
    policy = spec.retry_policy
    where = f"{path}.retryPolicy"
    first = _seconds(policy.backoff_duration) if policy.HasField("backoff_duration") else _BACKOFF
    most = _seconds(policy.backoff_max_duration) if policy.HasField("backoff_max_duration") else _MAX
    for field, value in (
        ("maxRetryCount", policy.max_retry_count),
        ("backoffDuration", first),
        ("backoffFactor", policy.backoff_factor),
        ("backoffMaxDuration", most),
    ):
        if value < 0:
            problems.add(f"{where}.{field}", "must not be negative")
    return Retry(policy.max_retry_count, first, policy.backoff_factor or _FACTOR, min(most, _MAX) or _MAX)


def _seconds(duration: Any) -> float:
    return float(duration.seconds) + float(duration.nanos) / 1e9


def _iterator(spec: Any, path: str, problems: Problems) -> Iterator | None:
    kind = spec.WhichOneof("iterator")
    if kind is None:
        return None
    field = "parameterIterator" if kind == "parameter_iterator" else "artifactIterator"
    iterator = getattr(spec, kind)
    where = f"{path}.{field}"
    if not iterator.item_input:
        problems.add(f"{where}.itemInput", "is required")
    if kind == "artifact_iterator":
        if not iterator.items.input_artifact:
            problems.add(f"{where}.items.inputArtifact", "is required")
        return Iterator("artifact", FromInput(iterator.items.input_artifact), iterator.item_input)
    items: Constant | FromInput
    match iterator.items.WhichOneof("kind"):
        case "raw":
            items = Constant(_raw(iterator.items.raw, f"{where}.items.raw", problems))
        case "input_parameter":
            items = FromInput(iterator.items.input_parameter)
        case _:
            problems.add(f"{where}.items", "requires raw or inputParameter")
            items = Constant([])
    return Iterator("parameter", items, iterator.item_input)


def _raw(text: str, where: str, problems: Problems) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        problems.add(where, "is no JSON list")
        return []
    return found
