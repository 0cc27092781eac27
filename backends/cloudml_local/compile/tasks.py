"""One emitter a step kind: what the engine needs to know to do it, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudml import spec
from cloudml.code import Sources

Emitter = Callable[[Any, Sources], dict[str, Any]]


def emit(step: spec.BaseStep, sources: Sources) -> dict[str, Any]:
    """The fields of a task that belong to its kind."""
    return _EMITTERS[type(step)](step, sources)


def _dump(node: spec.Node | None) -> Any:
    return None if node is None else node.model_dump(mode="json")


def _job(step: spec.JobStep, sources: Sources) -> dict[str, Any]:
    function = str(step.function)
    source = sources.of(function)
    return {
        "function": function,
        "code": source.digest,
        "files": [list(pair) for pair in source.files],
        "preload": list(source.preload),
        "inputs": [port.model_dump(mode="json") for port in step.inputs],
        "outputs": [port.model_dump(mode="json") for port in step.outputs],
        "arguments": {argument.name: argument.value.model_dump(mode="json") for argument in step.arguments},
        "cpu": step.resources.cpu,
        "retry": _dump(step.retry),
        "timeout": step.timeout,
        "cache": _dump(step.cache),
        "environment": {variable.name: variable.value for variable in step.environment},
        "checkpoint": isinstance(step, spec.TrainingStep) and (step.checkpoint or step.spot is not None),
    }


def _tuning(step: spec.TuningStep, sources: Sources) -> dict[str, Any]:
    return {
        **_job(step.job, sources),
        "tuning": {
            "objective": step.objective,
            "direction": step.direction,
            "trials": step.trials,
            "parallel": step.parallel,
            "space": [dimension.model_dump(mode="json") for dimension in step.space],
            "strategy": step.strategy,
            "seed": step.seed,
            "pruning": _dump(step.pruning),
            "max_failed": step.max_failed,
        },
    }


def _function_source(function: spec.FunctionRef | None, sources: Sources) -> dict[str, Any]:
    if function is None:
        return {"function": None, "code": "", "files": [], "preload": []}
    source = sources.of(str(function))
    return {
        "function": str(function),
        "code": source.digest,
        "files": [list(pair) for pair in source.files],
        "preload": list(source.preload),
    }


def _batch(step: spec.BatchPredictionStep, sources: Sources) -> dict[str, Any]:
    return {
        **_function_source(step.predictor, sources),
        "model": _dump(step.model),
        "data": _dump(step.data),
        "batch_size": step.batch_size,
        "keep": list(step.keep),
        "cpu": step.resources.cpu,
        "retry": _dump(step.retry),
        "timeout": step.timeout,
        "cache": _dump(step.cache),
    }


def _condition(step: spec.ConditionStep, sources: Sources) -> dict[str, Any]:
    return {"condition": _dump(step.condition)}


def _map(step: spec.MapStep, sources: Sources) -> dict[str, Any]:
    return {"items": _dump(step.items), "parallel": step.parallel}


def _register(step: spec.RegisterStep, sources: Sources) -> dict[str, Any]:
    return {
        **_function_source(step.predictor, sources),
        "model": _dump(step.model),
        "model_name": step.model_name,
        "metrics": [_dump(value) for value in step.metrics],
        "approval": step.approval,
        "sample": _dump(step.sample),
        "summary": step.summary,
    }


def _approve(step: spec.ApproveStep, sources: Sources) -> dict[str, Any]:
    return {
        "subject": _dump(step.subject),
        "message": step.message,
        "approvers": list(step.approvers),
        "expires": step.expires,
    }


def _deploy(step: spec.DeployStep, sources: Sources) -> dict[str, Any]:
    return {"version": _dump(step.version), "endpoint": step.endpoint, "alias": step.alias, "timeout": step.timeout}


def _verify(step: spec.VerifyStep, sources: Sources) -> dict[str, Any]:
    return {
        **_function_source(step.function, sources),
        "endpoint": _dump(step.endpoint),
        "sample": _dump(step.sample),
        "rows": step.rows,
        "requests": step.requests,
        "p95": step.p95,
        "max_error_rate": step.max_error_rate,
        "timeout": step.timeout,
    }


def _message(step: spec.NotifyStep | spec.FailStep, sources: Sources) -> dict[str, Any]:
    arguments = {argument.name: argument.value.model_dump(mode="json") for argument in step.arguments}
    return {"message": step.message, "arguments": arguments, "alerts": list(getattr(step, "alerts", ()))}


def _monitor(step: spec.MonitorStep, sources: Sources) -> dict[str, Any]:
    return {"monitor": step.monitor, "endpoint": _dump(step.endpoint), "baseline": _dump(step.baseline)}


_EMITTERS: dict[type[spec.BaseStep], Emitter] = {
    spec.ProcessingStep: _job,
    spec.TrainingStep: _job,
    spec.TuningStep: _tuning,
    spec.BatchPredictionStep: _batch,
    spec.ConditionStep: _condition,
    spec.MapStep: _map,
    spec.RegisterStep: _register,
    spec.ApproveStep: _approve,
    spec.DeployStep: _deploy,
    spec.VerifyStep: _verify,
    spec.NotifyStep: _message,
    spec.FailStep: _message,
    spec.MonitorStep: _monitor,
}
