"""Tuning steps: a Tuning step, and a job that puts out what the best trial has made; or one job that does it all.

Native: SageMaker proposes the points of strategy bayesian. Those of random and grid are drawn here, as on the local
backend, and SageMaker goes over their numbers: its own grid takes lists of values only, its own random search no steps.
Portable (the target's setting): one Training job searches as the local backend does, on one machine.
"""

from __future__ import annotations

import json
import math
from typing import Any

from cloudml import spec
from cloudml.errors import MissingExtra
from cloudml.runtime import search
from cloudml.spec.values import Scalar
from cloudml_sagemaker.compile import bundle
from cloudml_sagemaker.compile.context import PORTABLE, Context, Document
from cloudml_sagemaker.compile.control import control
from cloudml_sagemaker.compile.expressions import get, join
from cloudml_sagemaker.compile.functions import cacheable, function, job_of, ports_document
from cloudml_sagemaker.compile.jobs import Job, common, container_arguments, processing, step_document, written
from cloudml_sagemaker.compile.policies import DAY, START, longest
from cloudml_sagemaker.compile.training import (
    DATA,
    MOST_METRICS,
    extras,
    job_definition,
    keeps_checkpoints,
    metric,
    metrics,
)
from cloudml_sagemaker.compile.wiring import Wiring

MOST_VALUES = 30
"""Of a categorical range (CategoricalParameterRange in the service model)."""
LONGEST_TRAINING = 2_419_200
"""Seconds of a training job: 28 days, as the quota of an account allows at most (SageMaker quotas)."""
TRIAL, HIGH = "cloudml_trial", "cloudml_trial_high"
OBJECTIVE = "objective"


def emit_tuning(context: Context, step: spec.TuningStep) -> list[Document]:
    """The Tuning step, and the step `<name>-best` from which every consumer reads."""
    if context.place.tuning == PORTABLE:
        return [_portable(context, step)]
    position = context.position(step.name)
    if position.guard is not None:
        message = "it stands in a branch after which the pipeline goes on, where SageMaker can skip single jobs only"
        hint = "let nothing wait for the condition (`after=`), and use neither a map nor on_exit around it"
        context.find("CML334", step.name, message, hint)
    points = _points(context, step)
    wiring = Wiring(context, position)
    found = _search(step, points)
    document = {"kind": "job", **function(step.job, wiring), **extras(step.job), "tuning": found}
    job = job_of(context, position, step.job, document, wiring, context.name(step.name))
    job.cache = cacheable(context, step.name, step.job.cache)
    prefix = bundle.code(context, job.name, step_document(context, job), job.functions)
    tagged = common(context, job)
    lines = [metric(OBJECTIVE), *metrics(step.job)][:MOST_METRICS]
    trial = job_definition(context, step.job, job, prefix, lines, {})
    trial["StaticHyperParameters"] = _start(wiring)
    if "Environment" in tagged:
        trial["Environment"] = tagged.pop("Environment")
    arguments = {"HyperParameterTuningJobConfig": _config(context, step, points), "TrainingJobDefinition": trial}
    tuning = written(context, job, "Tuning", {**arguments, **tagged})
    return [tuning, _best(context, step, points, found)]


def _portable(context: Context, step: spec.TuningStep) -> Document:
    """A Training step whose job searches by itself: `cloudml.jobs.search`."""
    inner = step.job
    if inner.distribution is not None:
        message = "tuning = 'portable' searches on one machine, and its trials are to run on several processes each"
        context.find("CML350", step.name, message, "leave `distribution` out, or set tuning = 'native' for this target")
    position = context.position(step.name)
    wiring = Wiring(context, position)
    asked = {"cpu": inner.resources.cpu, "memory": inner.resources.memory, "gpu": inner.resources.gpu}
    ports = [ports_document(port) for port in spec.outputs(step)]
    document = {
        "kind": "search",
        **function(inner, wiring),
        **extras(inner),
        "search": {**_settings(step), "outputs": [port.name for port in inner.outputs], "resources": asked},
        "trial_checkpoints": inner.checkpoint,
        "outputs": ports,
    }
    job = job_of(context, position, inner, document, wiring, context.name(step.name))
    # AWS's cache key has the checkpoint's URI in it, which is the run's own: it would never be found again.
    job.cache = spec.Cache(enabled=False) if keeps_checkpoints(inner) else cacheable(context, step.name, inner.cache)
    prefix = bundle.code(context, job.name, step_document(context, job), job.functions)
    command = {"ContainerEntrypoint": ["python3", f"{DATA}/cloudml/start.py"], **container_arguments(wiring)}
    lines = [metric(OBJECTIVE), *metrics(inner)][:MOST_METRICS]
    definition = job_definition(context, inner, job, prefix, lines, command)
    definition["StoppingCondition"] = _stopping(step)
    return written(context, job, "Training", {**definition, **common(context, job)})


def _stopping(step: spec.TuningStep) -> Document:
    """All trials one after another, should the machine have cores for one only."""
    inner = step.job
    runtime = DAY
    if inner.timeout is not None:
        runtime = min(LONGEST_TRAINING, (longest(inner.timeout, inner.retry) - START) * step.trials + START)
    found: Document = {"MaxRuntimeInSeconds": runtime}
    if inner.spot is not None:
        found["MaxWaitTimeInSeconds"] = max(runtime, math.ceil(inner.spot.max_wait or 0))
    return found


def _start(wiring: Wiring) -> Document:
    """How a trial is started: tuning jobs have no entrypoint in AWS's model, so the image's script mode does it.

    Hyperparameters are texts; a parameter of another type becomes one by a Join.
    """
    values = {f"cloudml_set_{name}": join("", value) for name, value in sorted(wiring.sets.items())}
    return {"sagemaker_program": "start.py", "sagemaker_submit_directory": f"{DATA}/cloudml", **values}


def _best(context: Context, step: spec.TuningStep, points: list[Document] | None, found: Document) -> Document:
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
        "parameters": found["parameters"],
        "width": found["width"],
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
    if step.strategy == "grid":
        return search.grid(_settings(step))
    try:
        return search.drawn(_settings(step))
    except ImportError:
        raise MissingExtra("local", "optuna") from None


def _settings(step: spec.TuningStep) -> Document:
    """The search as `cloudml.runtime.search` takes it."""
    members = {"objective", "direction", "trials", "parallel", "space", "strategy", "seed", "pruning", "max_failed"}
    return step.model_dump(mode="json", include=members)


def _check_ranges(context: Context, step: spec.TuningStep) -> None:
    for one in step.space:
        if len(one.choices) > MOST_VALUES:
            message = f"{one.name!r} has {len(one.choices)} choices, and SageMaker takes {MOST_VALUES}"
            context.find("CML342", step.name, message, "use fewer choices, or strategy='random'")
        if any(len(choice_text(choice)) > 256 for choice in one.choices):
            message = f"a choice of {one.name!r} is longer than the 256 characters that SageMaker carries"
            context.find("CML342", step.name, message, "use shorter choices, or strategy='random'")
