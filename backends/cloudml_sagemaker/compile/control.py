"""Steps that cloudml itself does, on the smallest machine: register, deploy, verify, notify, decide, and the like."""

from __future__ import annotations

import json
from string import Formatter
from typing import Any

from cloudml import spec
from cloudml.plan import Resource
from cloudml_sagemaker.compile import rollout
from cloudml_sagemaker.compile.conditions import document as condition_document
from cloudml_sagemaker.compile.conditions import operand
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.expressions import get, join, output_uri
from cloudml_sagemaker.compile.jobs import Job, depends_on, headed, processing
from cloudml_sagemaker.compile.wiring import DECISION, Wiring
from cloudml_sagemaker.hosting import policy


def control(action: Document, outputs: list[Document]) -> Document:
    """step.json's members for an action of cloudml's."""
    return {"kind": "control", "action": action, "outputs": outputs}


def _ports(step: spec.BaseStep) -> list[Document]:
    return [port.model_dump(mode="json", exclude={"optional"}) for port in spec.outputs(step)]


def _job(context: Context, step: spec.BaseStep, wiring: Wiring, action: Document) -> Job:
    job = Job(
        context.name(step.name),
        context.position(step.name),
        wiring,
        control({key: value for key, value in action.items() if value is not None}, _ports(step)),
    )
    job.outputs = {port.name: None for port in spec.outputs(step)}
    return job


def _makers(context: Context, value: Any) -> tuple[str, ...]:
    """The function that made a model: the classes it is made of come with that function's code."""
    if not isinstance(value, spec.OutputRef):
        return ()
    step = context.position(value.step).step
    job = step.job if isinstance(step, spec.TuningStep) else step
    return (str(job.function),) if isinstance(job, spec.JobStep) else ()


def _source(context: Context, value: Any) -> Document | None:
    """The step that made a model, and what its code hashes to."""
    if not isinstance(value, spec.OutputRef):
        return None
    code = [context.sources.of(name).digest for name in _makers(context, value)]
    return {"step": value.step, "code": code[0] if code else ""}


def _named(function: spec.FunctionRef | None) -> tuple[str, ...]:
    return () if function is None else (str(function),)


def emit_register(context: Context, step: spec.RegisterStep) -> list[Document]:
    """Adds a version to the model's group."""
    wiring = Wiring(context, context.position(step.name))
    action = {
        "name": "register",
        "model": wiring.value(step.model),
        "model_name": step.model_name,
        "group": context.resource_name(step.model_name),
        "metrics": [{"name": _metric_name(one), "value": wiring.value(one)} for one in step.metrics],
        "approval": step.approval,
        "predictor": None if step.predictor is None else str(step.predictor),
        "sample": wiring.artifact(step.sample),
        "summary": step.summary,
        "tags": {one.key: one.value for one in step.tags},
        "code": "" if step.predictor is None else context.sources.of(str(step.predictor)).digest,
        "image": context.place.endpoint_image(spec.Resources()),
        "role": context.place.role,
        "source": _source(context, step.model),
        "kms": context.place.kms,
    }
    job = _job(context, step, wiring, action)
    job.functions = (*_named(step.predictor), *_makers(context, step.model))
    job.native = step.native
    return [processing(context, job)]


def _metric_name(value: Any) -> str:
    if isinstance(value, spec.OutputRef):
        return value.field or value.output
    return str(getattr(value, "name", "") or getattr(value, "metric", "") or "metric")


def emit_deploy(context: Context, step: spec.DeployStep) -> list[Document]:
    """Brings a version into service, by the endpoint's rollout."""
    wiring = Wiring(context, context.position(step.name))
    endpoint = next(one for one in context.pipeline.endpoints if one.name == step.endpoint)
    lowered = rollout.lower(context.place, endpoint, identity(context))
    waits = policy.waits(lowered.settings["DeploymentConfig"])
    if step.timeout is not None and step.timeout <= waits:
        message = f"its timeout of {step.timeout:g} s ends before the rollout, which waits for {waits} s"
        context.find("CML345", step.name, message, "give it more time, or none: it is computed from the rollout")
    action = {
        "name": "deploy",
        "version": wiring.value(step.version),
        "endpoint": lowered.settings,
        "alias": step.alias,
        "timeout": step.timeout or lowered.seconds,
        "run": wiring.value(spec.RunRef(field="id")),
        "kms": context.place.kms,
    }
    job = _job(context, step, wiring, action)
    job.timeout = step.timeout or lowered.seconds
    return [processing(context, job)]


def endpoints(context: Context) -> list[Resource]:
    """The alarms and endpoints that the pipeline's steps deploy to; what cannot be made of them is noted."""
    deployed = {step.endpoint for step in spec.walk(context.pipeline.steps) if isinstance(step, spec.DeployStep)}
    found: list[Resource] = []
    for endpoint in context.pipeline.endpoints:
        if endpoint.name in deployed:
            lowered = rollout.lower(context.place, endpoint, identity(context))
            context.findings += lowered.findings
            found += lowered.resources()
    return found


def identity(context: Context) -> dict[str, str]:
    """The tags by which all that cloudml makes is found again."""
    return {
        "cloudml:project": context.place.project,
        "cloudml:target": context.place.target,
        "cloudml:pipeline": context.pipeline.name,
    }


def emit_verify(context: Context, step: spec.VerifyStep) -> list[Document]:
    """Calls the endpoint, and fails unless it answers right."""
    wiring = Wiring(context, context.position(step.name))
    action = {
        "name": "verify",
        "endpoint": wiring.value(step.endpoint),
        "sample": wiring.artifact(step.sample),
        "rows": step.rows,
        "requests": step.requests,
        "function": None if step.function is None else str(step.function),
        "p95": step.p95,
        "max_error_rate": step.max_error_rate,
        "timeout": step.timeout,
    }
    job = _job(context, step, wiring, action)
    job.functions = _named(step.function)
    job.timeout = step.timeout
    return [processing(context, job)]


def emit_batch(context: Context, step: spec.BatchPredictionStep) -> list[Document]:
    """Predictions by the same code as on a laptop, so that they are the same."""
    wiring = Wiring(context, context.position(step.name))
    action = {
        "name": "batch",
        "model": wiring.value(step.model),
        "data": wiring.value(step.data),
        "predictor": None if step.predictor is None else str(step.predictor),
        "batch_size": step.batch_size,
        "keep": list(step.keep),
    }
    job = _job(context, step, wiring, action)
    job.functions = (*_named(step.predictor), *_makers(context, step.model))
    job.resources, job.retry, job.timeout = step.resources, step.retry, step.timeout
    job.native = step.native
    job.cache = step.cache
    if isinstance(step.model, (spec.ModelRef, spec.ParameterRef)):
        job.cache = spec.Cache(enabled=False)  # what an alias names changes without a trace in the request
    job.document.update({"retry": None if step.retry is None else step.retry.model_dump(mode="json")})
    job.document.update({"timeout": step.timeout})
    return [processing(context, job)]


def emit_fail(context: Context, step: spec.FailStep) -> list[Document]:
    """A Fail step where AWS has one, else a job that fails with the message."""
    position = context.position(step.name)
    message = _native_message(context, step)
    alone = position.map is None and position.guard is None and not position.final
    finals = bool(context.layout.finals)
    if message is not None and alone and not finals and step.name not in context.layout.waited:
        found = headed(step, context.name(step.name), "Fail")
        found["Arguments"] = {"ErrorMessage": message}
        job = Job(found["Name"], position, Wiring(context, position), {})
        if after := depends_on(context, job):
            found["DependsOn"] = after
        return [found]
    wiring = Wiring(context, position)
    arguments = {one.name: wiring.value(one.value) for one in step.arguments}
    action = {"name": "fail", "message": step.message, "arguments": arguments}
    return [processing(context, _job(context, step, wiring, action))]


def _native_message(context: Context, step: spec.FailStep) -> Any:
    """The message with its values in it; None when they need formatting, or cannot be read by the service."""
    values = {one.name: one.value for one in step.arguments}
    parts: list[Any] = []
    for text, name, form, conversion in Formatter().parse(step.message):
        if text:
            parts.append(text)
        if name is None:
            continue
        value = values[name]
        if isinstance(value, spec.RunRef) and value.field == "id":
            found: Any = (get("Execution.PipelineExecutionId"), "text")
        else:
            found = operand(context, value)
        if found is None or found[1] == "truth" or form or conversion:
            return None
        parts.append(found[0])
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return join("", *parts)


def emit_approve(context: Context, step: spec.ApproveStep) -> list[Document]:
    """A Callback step: the question lies in a queue until somebody answers it."""
    position = context.position(step.name)
    if position.guard is not None:
        message = "it stands in a branch after which the pipeline goes on, where SageMaker can skip single jobs only"
        hint = "let nothing wait for the condition (`after=`), and use neither a map nor on_exit around it"
        context.find("CML334", step.name, message, hint)
    arguments: Document = {
        "task": step.name,
        "message": step.message,
        "approvers": json.dumps(step.approvers, ensure_ascii=False),
    }
    if step.expires is not None:
        arguments["expires"] = f"{step.expires:g}"
    if isinstance(step.subject, spec.OutputRef):
        source = context.position(step.subject.step)
        if isinstance(source.step, spec.RegisterStep):
            arguments["subject"] = output_uri(context.name(step.subject.step), step.subject.output)
    found: Document = {
        **headed(step, context.name(step.name), "Callback"),
        "SqsQueueUrl": queue_url(context),
        "Arguments": arguments,
        "OutputParameters": [{"OutputName": name, "OutputType": "String"} for name in DECISION],
    }
    job = Job(found["Name"], position, Wiring(context, position), {})
    if after := depends_on(context, job):
        found["DependsOn"] = after
    return [found]


def queue_name(context: Context) -> str:
    """The queue of a target's approvals."""
    return context.resource_name("approvals")


def queue_url(context: Context) -> str:
    """As SQS names its queues."""
    place = context.place
    suffix = ".cn" if place.partition == "aws-cn" else ""
    return f"https://sqs.{place.region}.amazonaws.com{suffix}/{place.account}/{queue_name(context)}"


def decide(context: Context, step: spec.ConditionStep) -> Document:
    """The job that decides a condition by the neutral rules; output `holds`."""
    wiring = Wiring(context, context.position(step.name))
    action = {"name": "decide", "condition": condition_document(step.condition, wiring)}
    outputs = [{"name": "holds", "type": "bool", "mode": "value", "fields": []}]
    name = context.name(step.name, "decide")
    job = Job(name, context.position(step.name), wiring, control(action, outputs), "decide")
    job.outputs = {"holds": None}
    # A champion may change between two runs; all else is in the request, so that what follows can be reused.
    leaves = spec.references(step.condition)
    job.cache = spec.Cache(enabled=not any(isinstance(leaf, spec.ChampionRef) for leaf in leaves))
    return processing(context, job)
