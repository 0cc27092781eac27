"""The pipelines of which `tests/sagemaker_sdk/twins_*.py` builds twins with AWS's SDK, here as the neutral document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compile_lab import job, literal, out, pipeline

from cloudml import spec

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"
PLAIN: Mapping[str, Any] = {"image": IMAGE, "requirements": ""}
CLOSED: Mapping[str, Any] = {
    **PLAIN,
    "kms": "arn:aws:kms:us-east-1:123456789012:key/0d1e",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
    "tags": {"team": "growth"},
}
FAULTS = spec.Retry(attempts=4, on=("transient", "crash"), delay=5, backoff=1.5)
SCORES = spec.Port(name="scores", type="sample_jobs.Scores", mode="metrics", fields=("auc",))
NO_CACHE = spec.Cache(enabled=False)


def parameter(name: str) -> spec.ParameterRef:
    """A parameter of the pipeline."""
    return spec.ParameterRef(name=name)


def compare(op: str, left: object, right: object) -> spec.Comparison:
    """A comparison of two values."""
    return spec.Comparison.model_validate({"op": op, "left": left, "right": right})


def training(name: str, data: spec.OutputRef, **fields: Any) -> spec.TrainingStep:
    """A training step over a function of sample_flow, with one input."""
    return spec.TrainingStep(
        name=name,
        function=spec.FunctionRef(module="sample_flow", name="double"),
        inputs=(spec.Port(name="value", type="int"),),
        outputs=fields.pop("outputs", (SCORES, spec.Port(name="model", type="dict"))),
        arguments=(spec.Argument(name="value", value=data),),
        **fields,
    )


def jobs() -> spec.Pipeline:
    """Parameters of all types; processing and training with caching, retries, times, variables, spot and nodes."""
    declared = (
        spec.Parameter(name="count", type="int", default=4),
        spec.Parameter(name="rate", type="float", default=0.25),
        spec.Parameter(name="strict", type="bool", default=True),
        spec.Parameter(name="region", type="str", default="north", choices=("north", "south")),
        spec.Parameter(name="level", type="int", required=True),
    )
    given = [(one.name, parameter(one.name)) for one in declared]
    prepare = job(
        "prepare",
        *given,
        description="Rows of the region",
        cache=spec.Cache(ttl=30 * 86_400),
        retry=FAULTS,
        timeout=1000,
        environment=(spec.EnvironmentVariable(name="STAGE", value="test"),),
        tags=(spec.Tag(key="cost", value="7"),),
    )
    fit = training(
        "fit",
        out("prepare"),
        timeout=3000,
        checkpoint=True,
        spot=spec.Spot(max_wait=7200),
        distribution=spec.Distribution(nodes=2),
        environment=(spec.EnvironmentVariable(name="STAGE", value="test"),),
        retry=FAULTS,
    )
    plain = training("plain", out("prepare"), cache=spec.Cache(ttl=86_400), after=("fit",))
    report = job(
        "report", ("model", out("plain", "model")), ("run", spec.RunRef(field="id")), cache=NO_CACHE, after=("fit",)
    )
    return pipeline(prepare, fit, plain, report, parameters=declared, max_parallel=3, description="four jobs")


def closed() -> spec.Pipeline:
    """Jobs with keys, in a network, with the target's tags."""
    return pipeline(job("a", ("value", literal(1)), cache=NO_CACHE), training("b", out("a"), cache=NO_CACHE))


def search() -> spec.Pipeline:
    """A search that SageMaker itself proposes the points of, and one over points of ours."""
    space = (
        spec.Dimension(name="rate", type="float", low=0.001, high=1.0, log=True),
        spec.Dimension(name="depth", type="int", low=2, high=8),
        spec.Dimension(name="kind", type="choice", choices=("a", "b")),
    )
    start = job("start", ("value", literal(1)), cache=NO_CACHE)
    bayesian = spec.TuningStep(
        name="bayesian", job=training("bayesian", out("start"), cache=NO_CACHE), objective="auc", direction="maximize",
        trials=12, parallel=3, seed=7, space=space, pruning=spec.Pruning(),
    )  # fmt: skip
    grid = spec.TuningStep(
        name="grid", job=training("grid", out("start"), cache=NO_CACHE), objective="auc", direction="minimize",
        trials=6, parallel=2, space=space[1:2], strategy="grid",
    )  # fmt: skip
    return pipeline(start, bayesian, grid)


def gates() -> spec.Pipeline:
    """Conditions of every kind, nested, over parameters and over a processing job's result; a Fail step."""
    declared = (
        spec.Parameter(name="floor", type="float", default=0.5),
        spec.Parameter(name="mode", type="str", default="full"),
        spec.Parameter(name="level", type="int", default=5),
    )
    auc = out("measure", "scores", field="auc")
    total = out("measure", "total")
    measure = job(
        "measure", ("value", literal(1)), outputs=(SCORES, spec.Port(name="total", type="int")), cache=NO_CACHE
    )
    stop = spec.FailStep(
        name="stop",
        message="auc {auc} is below {floor}",
        arguments=(spec.Argument(name="auc", value=auc), spec.Argument(name="floor", value=parameter("floor"))),
    )
    both = spec.AllOf(conditions=(compare("gt", total, literal(1)), compare("lt", total, literal(9))))
    inner = spec.ConditionStep(
        name="inner",
        condition=spec.AnyOf(conditions=(both, spec.Not(condition=compare("eq", parameter("level"), literal(5))))),
        then=(job("often", ("value", total), cache=NO_CACHE),),
        otherwise=(job("seldom", ("value", literal(2)), cache=NO_CACHE),),
    )
    outer = spec.ConditionStep(
        name="outer",
        condition=spec.AllOf(
            conditions=(
                compare("ge", auc, parameter("floor")),
                compare("le", parameter("level"), literal(10)),
                compare("in", parameter("mode"), literal(["full", "half"])),
                compare("ne", parameter("mode"), literal("half")),
            )
        ),
        then=(inner,),
        otherwise=(stop,),
    )
    return pipeline(measure, outer, parameters=declared)


def each() -> spec.Pipeline:
    """A map over known items and one over items that a job counts."""
    item = spec.ItemRef(map="regions")
    known = spec.MapStep(
        name="regions", items=literal(["north", "south"]), parallel=2,
        body=(job("rows", ("region", item), cache=NO_CACHE), job("sum", ("value", out("rows")), cache=NO_CACHE)),
    )  # fmt: skip
    start = job("start", ("value", literal(1)), outputs=(spec.Port(name="output", type="list"),), cache=NO_CACHE)
    counted = spec.MapStep(
        name="numbers", items=out("start"), body=(job("twice", ("value", literal(3)), cache=NO_CACHE),)
    )
    return pipeline(start, known, counted)


def asked() -> spec.Pipeline:
    """A person is asked; a job is told the answer."""
    ask = spec.ApproveStep(name="ask", message="go on?", approvers=("ann",), expires=3600, after=("start",))
    told = job("told", ("who", out("ask", "decision", field="who")), cache=NO_CACHE)
    return pipeline(job("start", ("value", literal(1)), cache=NO_CACHE), ask, told)


def ending() -> spec.Pipeline:
    """Two steps that end however the one before them ends."""
    first = job("first", ("value", literal(1)), cache=NO_CACHE)
    last = spec.FinallyStep(
        name="on_exit",
        body=(job("clean", ("value", literal(2))), job("tell", ("value", literal(3)), after=("clean",))),
    )
    return pipeline(first, last)


TWINS: Mapping[str, tuple[Callable[[], spec.Pipeline], Mapping[str, Any]]] = {
    "jobs": (jobs, PLAIN),
    "closed": (closed, CLOSED),
    "search": (search, PLAIN),
    "gates": (gates, PLAIN),
    "each": (each, PLAIN),
    "asked": (asked, PLAIN),
    "ending": (ending, PLAIN),
}
"""By name: what makes the neutral pipeline, and the target's settings."""
