"""Tuning steps: a Tuning step, and a job that puts out what the best trial has made.

SageMaker proposes the points of strategy bayesian. Those of random and grid are drawn here, as the local backend draws
them, and SageMaker goes over their numbers: its own grid takes lists of values only, its own random search no steps.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from typing import Any

from cloudml import spec
from cloudml.errors import MissingExtra
from cloudml.spec.values import Scalar
from cloudml_sagemaker.compile import bundle
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.control import control
from cloudml_sagemaker.compile.expressions import get
from cloudml_sagemaker.compile.functions import cacheable, function, job_of, ports_document
from cloudml_sagemaker.compile.jobs import Job, common, processing, step_document, written
from cloudml_sagemaker.compile.training import DATA, extras, job_definition, metric, metrics
from cloudml_sagemaker.compile.wiring import Wiring

MOST_VALUES = 30
"""Of a categorical range (CategoricalParameterRange in the service model)."""
TRIAL, HIGH = "cloudml_trial", "cloudml_trial_high"
OBJECTIVE = "objective"


def emit_tuning(context: Context, step: spec.TuningStep) -> list[Document]:
    """The Tuning step, and the step `<name>-best` from which every consumer reads."""
    position = context.position(step.name)
    if position.guard is not None:
        message = "it stands in a branch after which the pipeline goes on, where SageMaker can skip single jobs only"
        hint = "let nothing wait for the condition (`after=`), and use neither a map nor on_exit around it"
        context.find("CML334", step.name, message, hint)
    points = _points(context, step)
    wiring = Wiring(context, position)
    search = _search(step, points)
    document = {"kind": "job", **function(step.job, wiring), **extras(step.job), "tuning": search}
    job = job_of(context, position, step.job, document, wiring, context.name(step.name))
    job.cache = cacheable(context, step.name, step.job.cache)
    prefix = bundle.code(context, job.name, step_document(context, job), job.functions)
    tagged = common(context, job)
    found = metrics(step.job)[:39]
    trial = job_definition(context, step.job, job, prefix, [metric(OBJECTIVE), *found], {})
    trial["StaticHyperParameters"] = _start(wiring)
    if "Environment" in tagged:
        trial["Environment"] = tagged.pop("Environment")
    arguments = {"HyperParameterTuningJobConfig": _config(context, step, points), "TrainingJobDefinition": trial}
    tuning = written(context, job, "Tuning", {**arguments, **tagged})
    return [tuning, _best(context, step, points, search)]


def _start(wiring: Wiring) -> Document:
    """How a trial is started: tuning jobs have no entrypoint in AWS's model, so the image's script mode does it."""
    values = {f"cloudml_set_{name}": value for name, value in sorted(wiring.sets.items())}
    return {"sagemaker_program": "start.py", "sagemaker_submit_directory": f"{DATA}/cloudml", **values}


def _best(context: Context, step: spec.TuningStep, points: list[Document] | None, search: Document) -> Document:
    """The job that fetches what the best trial has made."""
    position = context.position(step.name)
    wiring = Wiring(context, position)
    wiring.sets["tuning"] = get(f"Steps.{context.name(step.name)}.HyperParameterTuningJobName")
    action = {
        "name": "best",
        "objective": step.objective,
        "direction": step.direction,
        "max_failed": step.max_failed,
        "strategy": step.strategy,
        "points": points,
        "parameters": search["parameters"],
        "width": search["width"],
        "space": [dimension.model_dump(mode="json") for dimension in step.space],
        "tuning": {"set": "tuning", "type": "str"},
    }
    ports = spec.outputs(step)
    document = control(action, [ports_document(port) for port in ports])
    job = Job(context.name(step.name, "best"), position, wiring, document, "best")
    job.outputs = {port.name: None for port in ports}
    job.functions = (str(step.job.function),)
    job.cache = cacheable(context, step.name, step.job.cache)
    return processing(context, job)


def _config(context: Context, step: spec.TuningStep, points: list[Document] | None) -> Document:
    ranges, most = _grid_ranges(context, step, len(points)) if points is not None else (_ranges(step), step.trials)
    found: Document = {
        "Strategy": "Grid" if points is not None else "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": step.direction.capitalize(), "MetricName": OBJECTIVE},
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": most,
            "MaxParallelTrainingJobs": min(step.parallel, most),
        },
        "ParameterRanges": ranges,
        "TrainingJobEarlyStoppingType": "Off" if step.pruning is None else "Auto",
    }
    if points is None:
        found["RandomSeed"] = step.seed % 2**31
    return found


def _search(step: spec.TuningStep, points: list[Document] | None) -> Document:
    """How a trial finds its values: step.json's `tuning`."""
    parameters = {} if points is not None else {one.name: _decoding(one) for one in step.space}
    width = _shape(len(points))[1] if points is not None else None
    return {"objective": step.objective, "points": points, "width": width, "parameters": parameters}


def _decoding(dimension: spec.Dimension) -> Document:
    """How the text that SageMaker gives for a dimension becomes its value."""
    if dimension.type == "choice":
        return {"argument": dimension.name, "as": "json"}
    if dimension.step is not None:
        low: Any = int(dimension.low or 0) if dimension.type == "int" else dimension.low
        width: Any = int(dimension.step) if dimension.type == "int" else dimension.step
        return {"argument": dimension.name, "as": "step", "type": dimension.type, "low": low, "step": width}
    return {"argument": dimension.name, "as": dimension.type}


def _ranges(step: spec.TuningStep) -> Document:
    """The search space in SageMaker's own ranges; a range with steps is one of the steps' numbers."""
    found: Document = {}
    for one in step.space:
        if one.type == "choice":
            values = [choice_text(choice) for choice in one.choices]
            found.setdefault("CategoricalParameterRanges", []).append({"Name": one.name, "Values": values})
            continue
        low, high = one.low or 0.0, one.high or 0.0
        if one.step is not None:
            low, high = 0.0, float(int((high - low) / one.step + 1e-9))
        whole = one.type == "int" or one.step is not None
        texts = [str(int(limit)) if whole else repr(limit) for limit in (low, high)]
        entry = {
            "Name": one.name,
            "MinValue": texts[0],
            "MaxValue": texts[1],
            "ScalingType": "Logarithmic" if one.log else "Linear",
        }
        found.setdefault("IntegerParameterRanges" if whole else "ContinuousParameterRanges", []).append(entry)
    return found


def choice_text(choice: Scalar) -> str:
    """A choice as SageMaker carries it: JSON."""
    return json.dumps(choice, ensure_ascii=False)


def _shape(count: int) -> tuple[int, int]:
    """Rows and columns, 30 at most, that hold so many points with the fewest to spare."""
    shapes = [(-(-count // width), width) for width in range(1, MOST_VALUES + 1)]
    usable = [(rows, width) for rows, width in shapes if rows <= MOST_VALUES]
    if not usable:
        return MOST_VALUES, MOST_VALUES
    return min(usable, key=lambda one: (one[0] * one[1] - count, one[0]))


def _grid_ranges(context: Context, step: spec.TuningStep, count: int) -> tuple[Document, int]:
    if count > MOST_VALUES**2:
        message = f"{count} trials of strategy {step.strategy} are more than the {MOST_VALUES**2} that can be numbered"
        context.find("CML342", step.name, message, "use fewer trials, or strategy='bayesian'")
    rows, width = _shape(count)
    ranges = [{"Name": TRIAL, "Values": [str(n) for n in range(width)]}]
    if rows > 1:
        ranges.append({"Name": HIGH, "Values": [str(n) for n in range(rows)]})
    return {"CategoricalParameterRanges": ranges}, rows * width


def _points(context: Context, step: spec.TuningStep) -> list[Document] | None:
    """The points of a grid or of a random search, in the order of the local backend; None when SageMaker proposes."""
    if step.strategy == "bayesian":
        _check_ranges(context, step)
        return None
    return _grid(step) if step.strategy == "grid" else _random(step)


def _check_ranges(context: Context, step: spec.TuningStep) -> None:
    for one in step.space:
        if len(one.choices) > MOST_VALUES:
            message = f"{one.name!r} has {len(one.choices)} choices, and SageMaker takes {MOST_VALUES}"
            context.find("CML342", step.name, message, "use fewer choices, or strategy='random'")
        if any(len(choice_text(choice)) > 256 for choice in one.choices):
            message = f"a choice of {one.name!r} is longer than the 256 characters that SageMaker carries"
            context.find("CML342", step.name, message, "use shorter choices, or strategy='random'")


def _grid(step: spec.TuningStep) -> list[Document]:
    """Shuffled, so that too few trials are spread over it."""
    axes = [_axis(dimension) for dimension in step.space]
    points = list(itertools.product(*axes))
    random.Random(step.seed).shuffle(points)  # noqa: S311 - reproducible, not secret
    names = [dimension.name for dimension in step.space]
    return [dict(zip(names, point, strict=True)) for point in points[: step.trials]]


def _axis(dimension: spec.Dimension) -> list[Any]:
    if dimension.type == "choice":
        return list(dimension.choices)
    low, width = dimension.low or 0.0, dimension.step or 1
    count = math.floor(((dimension.high or 0.0) - low) / width + 1e-9) + 1
    values = [low + index * width for index in range(count)]
    return [int(value) for value in values] if dimension.type == "int" else values


def _random(step: spec.TuningStep) -> list[Document]:
    """What Optuna's RandomSampler draws for the seed, trial after trial."""
    try:
        import optuna
    except ImportError:
        raise MissingExtra("local", "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {dimension.name: _distribution(optuna, dimension) for dimension in step.space}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=step.seed))
    return [dict(study.ask(space).params) for _ in range(step.trials)]


def _distribution(optuna: Any, dimension: spec.Dimension) -> Any:
    kinds = optuna.distributions
    if dimension.type == "choice":
        return kinds.CategoricalDistribution(dimension.choices)
    if dimension.type == "int":
        low, high = int(dimension.low or 0), int(dimension.high or 0)
        return kinds.IntDistribution(low, high, log=dimension.log, step=int(dimension.step or 1))
    return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
