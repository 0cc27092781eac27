"""A pipeline that uses every node of the model and sets nearly every field of each."""

from __future__ import annotations

from typing import Any

from compile_lab import job, literal, out

from cloudml import spec

TWICE = spec.FunctionRef(module="sample_flow", name="double")
DAILY = spec.Cron(expression="0 6 * * *")


def native(**document: Any) -> tuple[spec.NativeOption, ...]:
    return (spec.NativeOption(backend="sagemaker", document=document),)


NAMED = native(ExperimentConfig={"TrialComponentDisplayName": "abc"})
TAGS = (spec.Tag(key="team", value="x"),)
VARIABLES = (spec.EnvironmentVariable(name="A", value="b"),)
ATTEMPTS: dict[str, Any] = {
    "retry": spec.Retry(),
    "timeout": 100.0,
    "cache": spec.Cache(ttl=86400.0),
    "resources": spec.Resources(cpu=2, memory=4096, disk=20000),
    "description": "why",
}
JOB: dict[str, Any] = {**ATTEMPTS, "image": "a/b:1", "environment": VARIABLES, "tags": TAGS}


def given(**values: Any) -> tuple[spec.Argument, ...]:
    return tuple(spec.Argument(name=name, value=value) for name, value in values.items())


def training(name: str, **fields: Any) -> spec.TrainingStep:
    metrics = spec.Port(name="m", type="cloudml.Metrics", mode="metrics", fields=("auc",))
    return spec.TrainingStep(
        name=name,
        function=TWICE,
        inputs=(spec.Port(name="x", type="int"),),
        outputs=(spec.Port(name="model", type="cloudml.Model"), metrics),
        arguments=given(x=literal(1)),
        **{**JOB, **fields},
    )


def _first() -> spec.ProcessingStep:
    return spec.ProcessingStep(
        name="first",
        function=TWICE,
        inputs=(spec.Port(name="x", type="int"), spec.Port(name="file", type="pathlib.Path", mode="handle")),
        outputs=(spec.Port(name="table", type="polars.DataFrame"), spec.Port(name="output", type="int")),
        arguments=given(
            x=spec.ParameterRef(name="count"),
            file=spec.ParameterRef(name="file"),
            hidden=spec.SecretRef(name="key"),
            year=spec.RunRef(field="time", format="%Y"),
        ),
        native=NAMED,
        **JOB,
    )


def _tuned() -> spec.TuningStep:
    space = (
        spec.Dimension(name="x", type="int", low=1, high=9, step=2),
        spec.Dimension(name="y", type="float", low=1, high=10, log=True),
        spec.Dimension(name="z", type="choice", choices=("a", "b")),
    )
    return spec.TuningStep(
        name="tuned",
        job=training("tuned", native=native(TrainingJobDefinition={"EnableNetworkIsolation": False})),
        objective="auc",
        direction="maximize",
        trials=4,
        parallel=2,
        space=space,
        pruning=spec.Pruning(),
        max_failed=1,
        description="why",
    )


def _gate() -> spec.ConditionStep:
    over = spec.Comparison(op="gt", left=out("first"), right=literal(3))
    few = spec.Comparison(op="lt", left=spec.ParameterRef(name="count"), right=literal(3))
    best = spec.Comparison(
        op="gt", left=out("fit", "m", field="auc"), right=spec.ChampionRef(model="churn", metric="auc")
    )
    register = spec.RegisterStep(
        name="version", model=out("fit", "model"), model_name="churn", metrics=(out("fit", "m", field="auc"),),
        predictor=TWICE, sample=out("first", "table"), summary="s", tags=TAGS, native=NAMED, description="why",
    )  # fmt: skip
    version, endpoint, table = out("version", "version"), out("serve", "endpoint"), out("first", "table")
    told = given(x=out("first"))
    then = (
        register,
        spec.ApproveStep(
            name="ask", subject=version, message="m", approvers=("me",), expires=3600.0, description="why"
        ),
        spec.DeployStep(
            name="serve", version=version, endpoint="live", alias="champion", after=("ask",), description="why"
        ),
        spec.VerifyStep(
            name="check", endpoint=endpoint, sample=table, function=TWICE, p95=100.0, timeout=60.0, description="why"
        ),
        spec.MonitorStep(name="watched", endpoint=endpoint, monitor="drift", baseline=table, description="why"),
        spec.NotifyStep(name="tell", alerts=("hook", "mail"), message="a {x}", arguments=told, description="why"),
    )
    otherwise = (spec.FailStep(name="bad", message="no {x}", arguments=told, description="why"),)
    either = spec.AnyOf(conditions=(spec.Not(condition=few), over))
    whole = spec.AllOf(conditions=(over, either, best))
    return spec.ConditionStep(name="gate", condition=whole, then=then, otherwise=otherwise, description="why")


def _steps() -> tuple[spec.Step, ...]:
    return (
        _first(),
        training("fit", spot=spec.Spot(max_wait=1e5), distribution=spec.Distribution(nodes=2, processes=2),
                 native=NAMED),
        _tuned(),
        spec.GroupStep(name="both", body=(
            job("one", ("x", literal(3)), **JOB),
            job("two", ("x", out("one")), **JOB, after=("first",)),
        )),
        spec.MapStep(name="each", items=literal([1, 2]), parallel=2, description="why", body=(
            job("inner", ("x", spec.ItemRef(map="each")), **JOB),
        )),
        _gate(),
        spec.BatchPredictionStep(name="batch", model=out("fit", "model"), data=out("first", "table"),
                                 predictor=TWICE, keep=("a",), native=NAMED, **ATTEMPTS),
        job("late", ("x", spec.Arithmetic(op="add", left=out("first"), right=literal(1))), after=("batch",)),
    )  # fmt: skip


def _endpoint() -> spec.Endpoint:
    query = "SELECT AVG(x) FROM SCHEMA(\"a\", b) WHERE EndpointName = '{endpoint}'"
    guards = (
        spec.Guard(metric="error_rate", limit=0.1),
        spec.Guard(metric="custom", limit=1, query=query, min_samples=0),
    )
    steps = (spec.RolloutStep(weight=50, bake=600.0), spec.RolloutStep(weight=100, bake=600.0))
    return spec.Endpoint(
        name="live",
        resources=ATTEMPTS["resources"],
        scaling=spec.Scaling(minimum=2, maximum=4, target_requests=3.0),
        rollout=spec.Rollout(steps=steps, final_bake=600.0, guards=guards),
        capture=spec.Capture(),
        environment=VARIABLES,
        features=("a",),
        tags=TAGS,
        native=native(variant={"ModelDataDownloadTimeoutInSeconds": 600}),
    )


def _monitor() -> spec.Monitor:
    return spec.Monitor(
        name="drift",
        schedule=DAILY,
        thresholds=(spec.Threshold(statistic="psi", limit=0.2),),
        features=("a",),
        window=3600.0,
        alerts=("hook",),
        retrain=spec.Retrain(limit=2, period=86400.0),
        rollback=True,
    )


def whole() -> spec.Pipeline:
    """Compiles without a finding."""
    count = spec.Parameter(name="count", type="int", default=1, choices=(1, 2), minimum=1, maximum=5, description="why")
    return spec.Pipeline(
        name="whole",
        description="why",
        parameters=(count, spec.Parameter(name="file", type="path", default="s3://a/b")),
        steps=_steps(),
        endpoints=(_endpoint(),),
        monitors=(_monitor(),),
        alerts=(
            spec.Alert(name="hook", channel="webhook", target="https://a.b/c"),
            spec.Alert(name="mail", channel="email", target="a@b.c"),
        ),
        schedule=DAILY,
        max_parallel=3,
        tags=TAGS,
    )
