"""Steps that run functions: arguments against ports, search spaces, retries, function names."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator

from cloudml.errors import Diagnostic
from cloudml.spec import (
    Argument,
    BaseStep,
    BatchPredictionStep,
    FunctionRef,
    JobStep,
    LiteralValue,
    Port,
    Retry,
    TuningStep,
    dimension_problem,
    dimension_type_problem,
    is_finite,
    outputs_of_kind,
    retry_name_problem,
    types,
)
from cloudml.validation.index import Index, Placed, suggest


def job_of(step: BaseStep) -> JobStep | None:
    """The job that a step runs, if it runs one."""
    return step.job if isinstance(step, TuningStep) else step if isinstance(step, JobStep) else None


def check_arguments(index: Index) -> Iterator[Diagnostic]:
    """Each argument fills a port once, with a value of its type; each port that must be filled is."""
    for placed in index.placed:
        job = job_of(placed.step)
        if job is not None:
            yield from _doubles(index, placed, job)
            yield from _bound(index, placed, job)


def _doubles(index: Index, placed: Placed, job: JobStep) -> Iterator[Diagnostic]:
    tables = {
        "argument": [one.name for one in job.arguments],
        "input": [one.name for one in job.inputs],
        "output": [one.name for one in job.outputs],
    }
    for noun, names in tables.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield index.finding(
                    "CML225", placed.step.name, f"{noun} {name!r} stands {count} times", "keep one of them"
                )


def _bound(index: Index, placed: Placed, job: JobStep) -> Iterator[Diagnostic]:
    ports = {port.name: port for port in job.inputs}
    filled = {argument.name for argument in job.arguments}
    if isinstance(placed.step, TuningStep):
        filled |= {dimension.name for dimension in placed.step.space}
    for argument in job.arguments:
        port = ports.get(argument.name)
        if port is None:
            message = f"function {job.function} has no input {argument.name!r}"
            yield index.finding("CML225", placed.step.name, message, suggest(argument.name, ports))
        else:
            yield from _typed(index, placed, port, argument)
    for port in job.inputs:
        if port.name not in filled and not port.optional:
            message = f"input {port.name!r} of function {job.function} is not filled"
            hint = "give it an argument, or mark the input `optional: true` when the function has a default for it"
            yield index.finding("CML225", placed.step.name, message, hint)


def _typed(index: Index, placed: Placed, port: Port, argument: Argument) -> Iterator[Diagnostic]:
    if isinstance(argument.value, LiteralValue):
        literal = argument.value.value
        if not types.takes_literals(port.type):
            message = f"input {port.name!r} is {port.type}, which cannot be written as a literal"
            yield index.finding("CML219", placed.step.name, message, "fill it with the output of a step")
        elif not types.fits(literal, port.type):
            message = f"input {port.name!r} is {port.type}, and {literal!r} is {type(literal).__name__}"
            yield index.finding("CML219", placed.step.name, message, f"write a value of type {port.type}")
        return
    given = index.type_of(argument.value, placed.scope)
    if given is not None and not types.accepts(given, port.type):
        message = f"input {port.name!r} takes {port.type}, and is given {given}"
        yield index.finding(
            "CML219", placed.step.name, message, "connect an output of that type, or change the function's annotation"
        )


def check_tuning(index: Index) -> Iterator[Diagnostic]:
    """Objectives exist, and search spaces have something to draw."""
    for placed in index.placed:
        if isinstance(placed.step, TuningStep):
            yield from _objective(index, placed.step)
            yield from _space(index, placed.step)
            yield from _job_shape(index, placed.step)


def _objective(index: Index, step: TuningStep) -> Iterator[Diagnostic]:
    metrics = [name for port in step.job.outputs if port.mode == "metrics" for name in port.fields]
    if step.objective not in metrics:
        message = f"the objective {step.objective!r} is no metric of {step.job.function}"
        yield index.finding("CML222", step.name, message, suggest(step.objective, metrics))


def _space(index: Index, step: TuningStep) -> Iterator[Diagnostic]:
    ports = {port.name: port for port in step.job.inputs}
    given = {argument.name for argument in step.job.arguments}
    counts = Counter(dimension.name for dimension in step.space)
    for dimension in step.space:
        problem = dimension_problem(dimension)
        port = ports.get(dimension.name)
        if problem:
            yield index.finding(
                "CML223",
                step.name,
                f"search space: {problem}",
                "give low < high, above zero on a log scale, or choices",
            )
        if port is None:
            message = f"search space: {step.job.function} has no input {dimension.name!r}"
            yield index.finding("CML223", step.name, message, suggest(dimension.name, ports))
            continue
        mismatch = dimension_type_problem(dimension, port.type)
        if mismatch:
            yield index.finding("CML223", step.name, f"search space: {mismatch}", f"draw values of type {port.type}")
        if dimension.name in given:
            message = f"search space: {dimension.name!r} is also given as an argument"
            yield index.finding("CML223", step.name, message, "remove one of the two")
        if step.strategy == "grid" and not is_finite(dimension):
            message = f"search space: a grid over {dimension.name!r} never ends"
            yield index.finding("CML223", step.name, message, "give it a step, or choices")
    for name, count in counts.items():
        if count > 1:
            yield index.finding("CML223", step.name, f"search space: {name!r} stands {count} times", "keep one of them")


def _job_shape(index: Index, step: TuningStep) -> Iterator[Diagnostic]:
    if step.job.name != step.name:
        message = f"its job is named {step.job.name!r}"
        yield index.finding("CML236", step.name, message, f"give the job the step's name: {step.name}")
    own = {name for port in step.job.outputs for name in (port.name, *port.fields)}
    for port in outputs_of_kind("tuning"):
        if port.name in own:
            message = f"its function puts out {port.name!r}, which is an output of every tuning step"
            yield index.finding("CML236", step.name, message, "rename the function's output")


def check_retries(index: Index) -> Iterator[Diagnostic]:
    """What is retried are error classes or exceptions."""
    for placed in index.placed:
        job = job_of(placed.step)
        retry: Retry | None = (
            job.retry if job else placed.step.retry if isinstance(placed.step, BatchPredictionStep) else None
        )
        for name in retry.on if retry else ():
            problem = retry_name_problem(name)
            if problem:
                hint = "write for example `transient`, `ConnectionError` or `psycopg.OperationalError`"
                yield index.finding("CML226", placed.step.name, f"retry: {problem}", hint)


def check_functions(index: Index) -> Iterator[Diagnostic]:
    """Functions have names that an import statement could hold."""
    for placed in index.placed:
        job = job_of(placed.step)
        found = [job.function] if job else []
        found += [
            one
            for one in (getattr(placed.step, name, None) for name in ("predictor", "function"))
            if isinstance(one, FunctionRef)
        ]
        for function in dict.fromkeys(found):
            if not _importable(function.module) or not _importable(function.name) or function.module == "__main__":
                message = f"{function} cannot be imported by name"
                yield index.finding(
                    "CML229", placed.step.name, message, "write package.module and the name of a function at its top"
                )


def _importable(dotted: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in dotted.split("."))
