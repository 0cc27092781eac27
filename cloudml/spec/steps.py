"""The step kinds: one frozen class each, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from cloudml.spec.compute import Cache, Distribution, EnvironmentVariable, FunctionRef, Resources, Retry, Spot
from cloudml.spec.node import Identifier, Name, NativeOption, Node, Positive, Seconds, Tag
from cloudml.spec.values import Argument, Condition, Port, Scalar, Value


class BaseStep(Node):
    """What every step has. `after` orders steps that exchange no data."""

    name: Name
    after: tuple[Name, ...] = ()
    description: str = ""


class JobStep(BaseStep):
    """A step that runs a function of the project in a process of its own. `timeout` is for one attempt, in seconds."""

    function: FunctionRef
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    arguments: tuple[Argument, ...] = ()
    resources: Resources = Resources.model_construct()
    retry: Retry | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    cache: Cache = Cache.model_construct()
    image: str | None = None
    environment: tuple[EnvironmentVariable, ...] = ()
    files: tuple[str, ...] = ()
    spot: Spot | None = None
    tags: tuple[Tag, ...] = ()
    native: tuple[NativeOption, ...] = ()


class ProcessingStep(JobStep):
    """Extract, validate, transform, split, evaluate: any work on data. `purpose` tells evaluation apart for display."""

    kind: Literal["processing"] = "processing"
    purpose: Literal["processing", "evaluation"] = "processing"


class TrainingStep(JobStep):
    """Fits a model. A `checkpoint` directory outlives an attempt."""

    kind: Literal["training"] = "training"
    checkpoint: bool = False
    distribution: Distribution | None = None


class Dimension(Node):
    """One axis of a search space: a range of floats or ints, or a list of choices."""

    name: Identifier
    type: Literal["float", "int", "choice"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    choices: tuple[Scalar, ...] = ()


class Pruning(Node):
    """Stop a trial whose best report so far is worse than the median of finished trials at the same report.

    Nothing is pruned before `startup_trials` trials are finished and `warmup_reports` reports are made.
    """

    startup_trials: Annotated[int, Field(ge=0)] = 5
    warmup_reports: Annotated[int, Field(ge=0)] = 0


class TuningStep(BaseStep):
    """Runs `job` once a trial with values drawn from `space`; the best trial's outputs are the step's outputs.

    `job.name` is this step's name. Extra outputs: `best_parameters` (a JSON object), `best_value`, `trials` (a table).
    """

    kind: Literal["tuning"] = "tuning"
    job: TrainingStep
    objective: Identifier
    direction: Literal["maximize", "minimize"]
    trials: Positive
    parallel: Positive = 1
    space: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    strategy: Literal["bayesian", "random", "grid"] = "bayesian"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    pruning: Pruning | None = None
    max_failed: Annotated[int, Field(ge=0)] = 0
    """How many failed trials the step survives."""


class BatchPredictionStep(BaseStep):
    """Applies a model to a data set and writes a table of predictions, output `predictions`, row order kept."""

    kind: Literal["batch_prediction"] = "batch_prediction"
    model: Value
    data: Value
    predictor: FunctionRef | None = None
    batch_size: Positive = 10000
    keep: tuple[str, ...] = ()
    """Columns of the data to repeat beside each prediction."""
    resources: Resources = Resources.model_construct()
    retry: Retry | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    cache: Cache = Cache.model_construct()
    native: tuple[NativeOption, ...] = ()


class ConditionStep(BaseStep):
    """Runs `then` when the condition holds, `otherwise` when not; the other branch is skipped."""

    kind: Literal["condition"] = "condition"
    condition: Condition
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()


class MapStep(BaseStep):
    """Runs `body` once for each item of a JSON list, at most `parallel` items at once (None: as many as fit)."""

    kind: Literal["map"] = "map"
    items: Value
    parallel: Positive | None = None
    body: Annotated[tuple[Step, ...], Field(min_length=1)]


class GroupStep(BaseStep):
    """Steps that share one job on a cloud, so that small steps do not each pay for a start."""

    kind: Literal["group"] = "group"
    body: Annotated[tuple[Step, ...], Field(min_length=1)]


class FinallyStep(BaseStep):
    """Steps that run when all else has ended, whatever the outcome. Only at the top of a pipeline.

    They are never cached, and run again when a run that had ended is resumed.
    """

    kind: Literal["finally"] = "finally"
    body: Annotated[tuple[Step, ...], Field(min_length=1)]


class RegisterStep(BaseStep):
    """Adds a version to a registered model, with its metrics and lineage. Output `version`.

    `predictor` is the function `(model, rows) -> predictions` that serves it; without one an estimator's own
    `predict_proba` (classifiers, probability of each class) or `predict` serves.
    """

    kind: Literal["register"] = "register"
    model: Value
    model_name: Name
    metrics: tuple[Value, ...] = ()
    approval: Literal["approved", "pending"] = "approved"
    predictor: FunctionRef | None = None
    sample: Value | None = None
    """A small table whose first rows are kept beside the model: the signature, and the rows a server warms up with."""
    summary: str = ""
    tags: tuple[Tag, ...] = ()
    native: tuple[NativeOption, ...] = ()


class ApproveStep(BaseStep):
    """Waits for a person. Without an answer within `expires` seconds it is refused. `subject` is what is approved."""

    kind: Literal["approve"] = "approve"
    subject: Value | None = None
    message: str = ""
    approvers: tuple[str, ...] = ()
    expires: Seconds | None = None


class DeployStep(BaseStep):
    """Brings a model version into service on an endpoint of the pipeline; output `endpoint`.

    When the endpoint serves it, `alias` (if any) is moved to the version.
    """

    kind: Literal["deploy"] = "deploy"
    version: Value
    endpoint: Name
    alias: Name | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None


class VerifyStep(BaseStep):
    """Calls a deployed endpoint and fails unless it answers right.

    `sample` is a table of rows to send; `function` may judge the answers: `(rows, predictions) -> None`, or raise.
    `p95` is in milliseconds. Every answer must be 2xx up to `max_error_rate`.
    """

    kind: Literal["verify"] = "verify"
    endpoint: Value
    sample: Value | None = None
    rows: Positive = 20
    requests: Positive = 20
    function: FunctionRef | None = None
    p95: Annotated[float, Field(gt=0)] | None = None
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    timeout: Annotated[float, Field(gt=0)] | None = None


class MonitorStep(BaseStep):
    """Puts a monitor of the pipeline on a deployed endpoint, with the data that is normal as baseline."""

    kind: Literal["monitor"] = "monitor"
    endpoint: Value
    monitor: Name
    baseline: Value


class NotifyStep(BaseStep):
    """Sends a message to alert channels. `{name}` in the text is replaced by the argument of that name."""

    kind: Literal["notify"] = "notify"
    alerts: Annotated[tuple[Name, ...], Field(min_length=1)]
    message: str
    arguments: tuple[Argument, ...] = ()


class FailStep(BaseStep):
    """Ends the run as failed, with a message."""

    kind: Literal["fail"] = "fail"
    message: str
    arguments: tuple[Argument, ...] = ()


Step = Annotated[
    ProcessingStep
    | TrainingStep
    | TuningStep
    | BatchPredictionStep
    | ConditionStep
    | MapStep
    | GroupStep
    | FinallyStep
    | RegisterStep
    | ApproveStep
    | DeployStep
    | VerifyStep
    | MonitorStep
    | NotifyStep
    | FailStep,
    Field(discriminator="kind"),
]

FIXED_OUTPUTS: dict[str, tuple[Port, ...]] = {
    "tuning": (
        Port(name="best_parameters", type="dict"),
        Port(name="best_value", type="float"),
        Port(name="trials", type="list"),
    ),
    "batch_prediction": (Port(name="predictions", type="polars.DataFrame"),),
    "register": (Port(name="version", type="cloudml.ModelVersion"),),
    "approve": (Port(name="approval", type="dict"),),
    "deploy": (Port(name="endpoint", type="cloudml.Endpoint"),),
    "verify": (Port(name="report", type="dict"),),
}
"""What steps without a function of their own put out; a tuning step also has the outputs of its job."""


def outputs_of_kind(kind: str) -> tuple[Port, ...]:
    """The outputs that a kind of step always has."""
    return FIXED_OUTPUTS.get(kind, ())


ContainerStep: TypeAlias = ConditionStep | MapStep | GroupStep | FinallyStep


def outputs(step: BaseStep) -> tuple[Port, ...]:
    """The output ports of a step of any kind."""
    if isinstance(step, JobStep):
        return step.outputs
    if isinstance(step, TuningStep):
        return (*step.job.outputs, *FIXED_OUTPUTS["tuning"])
    return outputs_of_kind(getattr(step, "kind", ""))


def children(step: BaseStep) -> tuple[Step, ...]:
    """The steps that lie directly inside a step."""
    if isinstance(step, ConditionStep):
        return (*step.then, *step.otherwise)
    if isinstance(step, (MapStep, GroupStep, FinallyStep)):
        return step.body
    return ()


def arguments(step: BaseStep) -> tuple[tuple[str, Value | Condition], ...]:
    """Every value a step reads itself, as (field, value), in order; what lies inside it is not included."""
    if isinstance(step, TuningStep):
        return arguments(step.job)
    if isinstance(step, JobStep):
        return tuple((argument.name, argument.value) for argument in step.arguments)
    found: list[tuple[str, Any]] = []
    for field in (
        "condition",
        "items",
        "model",
        "data",
        "metrics",
        "subject",
        "version",
        "endpoint",
        "sample",
        "baseline",
    ):
        value = getattr(step, field, None)
        if isinstance(value, tuple):
            found.extend((field, item) for item in value)
        elif isinstance(value, Node):
            found.append((field, value))
    if isinstance(step, (NotifyStep, FailStep)):
        found.extend((argument.name, argument.value) for argument in step.arguments)
    return tuple(found)
