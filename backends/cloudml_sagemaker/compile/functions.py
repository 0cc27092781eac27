"""A function of the project as step.json says it: what it takes, what it puts out, how it is tried again."""

from __future__ import annotations

import math

from cloudml import spec
from cloudml.remote.layout import Position
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.jobs import Job, processing
from cloudml_sagemaker.compile.wiring import Wiring


def function(step: spec.JobStep, wiring: Wiring) -> Document:
    """The members of step.json (or of a group's member) for a function."""
    ports = {port.name: port for port in step.inputs}
    inputs, arguments, secrets = [], {}, {}
    for argument in step.arguments:
        if isinstance(argument.value, spec.SecretRef):
            secrets[argument.name] = argument.value.name
            continue
        port = ports.get(argument.name)
        found = None if port is None else wiring.bound(port, argument.value)
        if found is not None:
            inputs.append(found)
        else:
            arguments[argument.name] = wiring.value(argument.value)
    return {
        "function": str(step.function),
        "inputs": inputs,
        "arguments": arguments,
        "secrets": secrets,
        "outputs": [ports_document(port) for port in step.outputs],
        "retry": None if step.retry is None else step.retry.model_dump(mode="json"),
        "timeout": step.timeout,
        "threads": max(1, math.ceil(step.resources.cpu)),
    }


def ports_document(port: spec.Port) -> Document:
    """An output port."""
    return {"name": port.name, "type": port.type, "mode": port.mode, "fields": list(port.fields)}


def job_of(
    context: Context, position: Position, step: spec.JobStep, document: Document, wiring: Wiring, name: str
) -> Job:
    """A job with everything that a function's step says of it."""
    return Job(
        name=name,
        position=position,
        wiring=wiring,
        document=document,
        functions=(str(step.function),),
        resources=step.resources,
        image=step.image,
        retry=step.retry,
        timeout=step.timeout,
        cache=cacheable(context, step.name, step.cache),
        environment=step.environment,
        native=step.native,
        tags=step.tags,
    )


def cacheable(context: Context, step: str, cache: spec.Cache) -> spec.Cache:
    """The step's cache; off where its outputs are collected, since a reused item lies in the folder of its old run."""
    if any(name == step for name, _ in context.layout.collected):
        return spec.Cache(enabled=False)
    return cache


def emit_processing(context: Context, step: spec.ProcessingStep) -> list[Document]:
    """One Processing step."""
    position = context.position(step.name)
    wiring = Wiring(context, position)
    document = {"kind": "job", **function(step, wiring)}
    job = job_of(context, position, step, document, wiring, context.name(step.name))
    job.outputs = {port.name: None for port in step.outputs}
    return [processing(context, job)]


def emit_group(context: Context, step: spec.GroupStep) -> list[Document]:
    """One Processing step whose members run one after another; each member's ports lie below its own output."""
    position = context.position(step.name)
    wiring = Wiring(context, position, step)
    members = [_member(context, one, wiring) for one in _ordered(step.body)]
    inside = [one for one in spec.walk(step.body) if isinstance(one, spec.JobStep)]
    job = Job(
        name=context.name(step.name),
        position=position,
        wiring=wiring,
        document={"kind": "group", "members": members},
        functions=tuple(dict.fromkeys(str(one.function) for one in inside)),
        outputs={one.name: None for one in inside if one.outputs},
        resources=_largest(inside),
        image=inside[0].image,
        retry=_boldest(inside),
        timeout=None if any(one.timeout is None for one in inside) else sum(_whole(one) for one in inside),
        cache=_shared_cache(context, inside),
        tags=tuple(dict.fromkeys(tag for one in inside for tag in one.tags)),
    )
    wiring.at(position)
    return [processing(context, job)]


def _member(context: Context, step: spec.BaseStep, wiring: Wiring) -> Document:
    wiring.at(context.position(step.name))
    if isinstance(step, spec.ConditionStep):
        from cloudml_sagemaker.compile.conditions import document

        return {
            "kind": "condition",
            "step": step.name,
            "condition": document(step.condition, wiring),
            "then": [_member(context, one, wiring) for one in _ordered(step.then)],
            "otherwise": [_member(context, one, wiring) for one in _ordered(step.otherwise)],
        }
    if isinstance(step, spec.FailStep):
        arguments = {one.name: wiring.value(one.value) for one in step.arguments}
        return {"kind": "fail", "step": step.name, "message": step.message, "arguments": arguments}
    assert isinstance(step, spec.JobStep), "only functions, conditions and fails share a job"
    environment = {one.name: one.value for one in step.environment}
    found = {"kind": "job", "step": step.name, **function(step, wiring), "environment": environment}
    return {key: value for key, value in found.items() if value not in (None, [], {})}


def _ordered(body: tuple[spec.Step, ...]) -> list[spec.BaseStep]:
    """The steps of a body without the groups in it, each after what it needs; as written where that is open."""
    flat: list[spec.BaseStep] = []
    stack: list[spec.BaseStep] = list(reversed(body))
    while stack:
        step = stack.pop()
        if isinstance(step, spec.GroupStep):
            stack.extend(reversed(step.body))
        else:
            flat.append(step)
    home = {inner.name: outer.name for outer in flat for inner in spec.walk((outer,))}
    done: set[str] = set()
    found: list[spec.BaseStep] = []
    while len(found) < len(flat):
        ready = next(one for one in flat if one.name not in done and {*_needs(one, home)} - {one.name} <= done)
        done.add(ready.name)
        found.append(ready)
    return found


def _needs(step: spec.BaseStep, home: dict[str, str]) -> set[str]:
    """The members of the same body that a step, or anything in it, waits for."""
    named: set[str] = set()
    for one in spec.walk((step,)):
        named.update(one.after)
        for _, value in spec.arguments(one):
            named.update(leaf.step for leaf in spec.references(value) if isinstance(leaf, spec.OutputRef))
    return {home[name] for name in named if name in home}


def _largest(steps: list[spec.JobStep]) -> spec.Resources:
    """What the greediest of them needs of each: they run one after another."""
    every = [one.resources for one in steps]
    gpu = max(every, key=lambda one: one.gpu)
    return spec.Resources(
        cpu=max(one.cpu for one in every),
        memory=max((one.memory for one in every if one.memory is not None), default=None),
        gpu=gpu.gpu,
        gpu_type=gpu.gpu_type,
        disk=max((one.disk for one in every if one.disk is not None), default=None),
    )


def _boldest(steps: list[spec.JobStep]) -> spec.Retry | None:
    return max((one.retry for one in steps if one.retry is not None), key=lambda one: one.attempts, default=None)


def _whole(step: spec.JobStep) -> float:
    return (step.timeout or 0.0) * (step.retry.attempts if step.retry else 1)


def _shared_cache(context: Context, steps: list[spec.JobStep]) -> spec.Cache:
    """Reused only when all of them may be, and no longer than the shortest allows."""
    every = [cacheable(context, one.name, one.cache) for one in steps]
    limits = [one.ttl for one in every if one.ttl is not None]
    return spec.Cache(enabled=all(one.enabled for one in every), ttl=min(limits, default=None))
