"""What the author's code becomes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from authoring_steps import (
    Fit,
    add,
    count,
    double,
    evaluate,
    extract,
    facts,
    fit,
    nothing,
    predict,
    regions,
    split,
    uses_secret,
)

import cloudml as ml
from cloudml import spec
from cloudml.validation import validate


def built(function, **settings: object) -> spec.Pipeline:
    return ml.pipeline(**settings)(function).build()


def only(pipeline: spec.Pipeline, name: str) -> spec.BaseStep:
    return next(step for step in spec.walk(pipeline.steps) if step.name == name)


def test_ports_of_a_training_function() -> None:
    def body(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
        fit(split(extract(path)).train, depth=3)

    step = only(built(body), "fit")
    assert isinstance(step, spec.TrainingStep)
    assert step.inputs == (
        spec.Port(name="train", type="polars.DataFrame"),
        spec.Port(name="depth", type="int", optional=True),
        spec.Port(name="eta", type="float", optional=True),
        spec.Port(name="kind", type="str", optional=True),
    )
    assert step.outputs == (
        spec.Port(name="model", type="cloudml.Model", mode="handle"),
        spec.Port(name="metrics", type="authoring_steps.Fit", mode="metrics", fields=("valid_auc", "rounds")),
    )
    assert [argument.name for argument in step.arguments] == ["train", "depth"]
    assert step.arguments[0].value == spec.OutputRef(step="split", output="train")
    assert step.arguments[1].value == spec.LiteralValue(value=3)
    assert step.timeout == 3600
    assert step.spot == spec.Spot()
    assert str(step.function) == "authoring_steps:fit"


def test_named_tuple_gives_a_port_a_field() -> None:
    assert [(port.name, port.type, port.mode) for port in split.shape.outputs] == [
        ("train", "polars.DataFrame", "value"),
        ("test", "polars.DataFrame", "value"),
        ("scores", "authoring_steps.Scores", "metrics"),
    ]


def test_options_become_the_spec() -> None:
    def body() -> None:
        double.options(
            cpu=2, memory="1.5Gi", disk="10Gi", gpu=1, retries=3, cache="14d", environment={"TZ": "UTC"}, tags={"team": "a"},  # noqa: E501
            native={"sagemaker": {"x": 1}}, files=["sql/*.sql"], image="python:3.12", timeout="90s", description="two",
        )(1.0)  # fmt: skip
        nothing.options(retries=ml.retry(5, on=(ConnectionError, "memory", ml.Transient), delay="2s"), cache=False)()

    pipeline = built(body)
    step = only(pipeline, "double")
    assert isinstance(step, spec.ProcessingStep)
    assert step.resources == spec.Resources(cpu=2, memory=1536, disk=10240, gpu=1)
    assert step.retry == spec.Retry(attempts=4), "three retries are four attempts"
    assert step.cache == spec.Cache(ttl=14 * 86400)
    assert step.timeout == 90
    assert (step.image, step.files, step.description) == ("python:3.12", ("sql/*.sql",), "two")
    assert step.environment == (spec.EnvironmentVariable(name="TZ", value="UTC"),)
    assert step.native == (spec.NativeOption(backend="sagemaker", document={"x": 1}),)
    other = only(pipeline, "nothing")
    assert isinstance(other, spec.ProcessingStep)
    assert other.retry == spec.Retry(attempts=5, on=("ConnectionError", "memory", "transient"), delay=2)
    assert other.cache == spec.Cache(enabled=False)


def test_options_leave_the_function_as_it_was() -> None:
    changed = double.options(cpu=8, name="other")
    assert changed.name == "other"
    assert double.name == "double"
    assert "resources" not in double.job


def test_conditions() -> None:
    def body(least: ml.Param[float] = 0.8) -> None:
        score = double(1.0)
        with ml.when((score >= least) & (score < 2) & (score != 1.5), ~(score == 0) | (score > 0.5)):
            nothing()

    step = only(built(body), "when_1")
    assert isinstance(step, spec.ConditionStep)
    output = spec.OutputRef(step="double", output="output")

    def compare(op: str, value: float) -> spec.Comparison:
        return spec.Comparison(op=op, left=output, right=spec.LiteralValue(value=value))  # type: ignore[arg-type]

    assert step.condition == spec.AllOf(
        conditions=(
            spec.Comparison(op="ge", left=output, right=spec.ParameterRef(name="least")),
            compare("lt", 2),
            compare("ne", 1.5),
            spec.AnyOf(conditions=(spec.Not(condition=compare("eq", 0)), compare("gt", 0.5))),
        )
    )


def test_arithmetic_and_champion() -> None:
    def body() -> None:
        with ml.when(double(1.0) * 2 - 1 >= ml.champion("churn", missing="fail").auc - 0.002):
            nothing()

    condition = only(built(body), "when_1").condition  # type: ignore[attr-defined]
    assert condition.right == spec.Arithmetic(
        op="sub",
        left=spec.ChampionRef(model="churn", metric="auc", missing="fail"),
        right=spec.LiteralValue(value=0.002),
    )
    assert condition.left.op == "sub"
    assert condition.left.left.op == "mul"


def test_membership_and_members() -> None:
    def body(region: ml.Param[str] = "eu") -> None:
        with ml.when(region.is_in(["eu", "us"])):  # type: ignore[attr-defined]
            double(facts()["rows"])

    pipeline = built(body)
    assert only(pipeline, "when_1").condition.right == spec.LiteralValue(value=["eu", "us"])  # type: ignore[attr-defined]
    assert only(pipeline, "double").arguments[0].value.field == "rows"  # type: ignore[attr-defined]


def test_map_and_collect() -> None:
    def body() -> None:
        with ml.map(regions(), parallel=2) as region:
            one = count(region)
        add(ml.collect(one))

    pipeline = built(body)
    step = only(pipeline, "map_1")
    assert isinstance(step, spec.MapStep)
    assert step.items == spec.OutputRef(step="regions", output="output")
    assert step.parallel == 2
    assert only(pipeline, "count").arguments[0].value == spec.ItemRef(map="map_1")  # type: ignore[attr-defined]
    collected = spec.OutputRef(step="count", output="output", collected=True)
    assert only(pipeline, "add").arguments[0].value == collected  # type: ignore[attr-defined]
    assert validate(pipeline) == ()


def test_group_is_transparent_and_can_be_waited_for() -> None:
    def body() -> None:
        with ml.group("small") as small:
            inner = double(1.0)
        double.options(name="after_it", after=small)(inner)

    pipeline = built(body)
    assert only(pipeline, "after_it").after == ("small",)
    assert validate(pipeline) == ()


def test_tune() -> None:
    def body(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
        best = ml.tune(
            fit, train=split(extract(path)).train, minimize=Fit.valid_auc, trials=8, parallel=2, seed=3, prune=True,
            space={"eta": ml.log_uniform(0.01, 0.3), "depth": ml.ints(2, 8, step=2), "kind": ml.choice(["a", "b"])},
            arguments={},
        )  # fmt: skip
        double(best.best_value)
        ml.register(best.model, "churn", metrics=(best.valid_auc, best.best_value), predictor=predict)

    pipeline = built(body)
    step = only(pipeline, "fit")
    assert isinstance(step, spec.TuningStep)
    assert (step.objective, step.direction, step.trials, step.parallel, step.seed) == ("valid_auc", "minimize", 8, 2, 3)
    assert step.space == (
        spec.Dimension(name="eta", type="float", low=0.01, high=0.3, log=True),
        spec.Dimension(name="depth", type="int", low=2, high=8, step=2),
        spec.Dimension(name="kind", type="choice", choices=("a", "b")),
    )
    assert step.pruning == spec.Pruning()
    assert step.job.name == "fit"
    register = only(pipeline, "register_churn")
    assert isinstance(register, spec.RegisterStep)
    assert register.metrics[0] == spec.OutputRef(step="fit", output="metrics", field="valid_auc")
    assert str(register.predictor) == "authoring_steps:predict"


def test_a_whole_release() -> None:
    churn = ml.Endpoint(
        "churn", cpu=2, memory="2Gi", instances=(1, 4), capture=0.5, request_timeout="30s",
        rollout=ml.canary([10, 50, 100], bake="30m", guards=[ml.guard("error_rate", above=0.01)]),
    )  # fmt: skip
    team = ml.slack("team", ml.secret("SLACK_URL"))
    drift = ml.Monitor(
        "drift", schedule=ml.every("1h"), thresholds=[ml.threshold("psi", above=0.2)], alerts=[team], retrain=True
    )

    def body(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
        """Weekly churn."""
        part = split(extract(path))
        best = fit(part.train)
        score = evaluate(best.model, part.test)
        version = ml.register(best.model, "churn", metrics=score, sample=part.test, approval="pending")
        yes = ml.approve("Ship it?", version, approvers=["ops"], expires="2d")
        live = ml.deploy(version, churn, alias="champion", after=yes)
        ml.verify(live, sample=part.test, p95="200ms", max_error_rate=0.1)
        ml.monitor(live, drift, baseline=part.train)
        ml.batch_predict(ml.model("churn", alias="champion"), part.test, keep=["id"], batch_size=100)
        uses_secret(ml.secret("crm"))
        with ml.on_exit():
            ml.notify([team], "run {id} of {day}", id=ml.run_id(), day=ml.run_date())

    pipeline = built(body, alerts=[team], timeout="6h", max_parallel=3, tags={"team": "growth"}, name="weekly")
    assert (pipeline.name, pipeline.description, pipeline.timeout) == ("weekly", "Weekly churn.", 21600)
    assert validate(pipeline) == ()
    endpoint = pipeline.endpoints[0]
    assert (endpoint.scaling.minimum, endpoint.scaling.maximum) == (1, 4)
    assert [step.weight for step in endpoint.rollout.steps] == [10, 50, 100]
    assert endpoint.rollout.steps[0].bake == 1800
    assert pipeline.alerts[0].target == spec.SecretRef(name="SLACK_URL")
    assert pipeline.monitors[0].retrain == spec.Retrain()
    deploy = only(pipeline, "deploy_churn")
    assert isinstance(deploy, spec.DeployStep)
    assert deploy.after == ("approve_1",)
    verify = only(pipeline, "verify_churn")
    assert isinstance(verify, spec.VerifyStep)
    assert verify.p95 == pytest.approx(200)
    assert [type(step).__name__ for step in pipeline.steps][-1] == "FinallyStep"
    assert "SLACK_URL" in spec.to_yaml(pipeline)
    assert spec.from_yaml(spec.to_yaml(pipeline)) == pipeline


def test_linear_rollout() -> None:
    assert [step.weight for step in ml.linear(30, bake=60).steps] == [30, 60, 90, 100]


def test_parameters() -> None:
    def body(
        day: ml.Param[str] = ml.run_date("%Y"),  # noqa: B008
        size: ml.Param[int] = ml.param(5, minimum=1, maximum=9, description="rows"),  # noqa: B008
        mode: ml.Param[str] = ml.param("a", choices=("a", "b")),  # noqa: B008
        need: ml.Param[float] = ml.param(),  # noqa: B008
        items: ml.Param[list[str]] = ["x"],  # noqa: B006
    ) -> None:
        nothing()

    pipeline = built(body)
    assert spec.from_yaml(spec.to_yaml(pipeline)) == pipeline
    day, size, mode, need, items = pipeline.parameters
    assert day.default == spec.RunRef(field="time", format="%Y")
    assert (size.type, size.default, size.minimum, size.maximum, size.description) == ("int", 5, 1, 9, "rows")
    assert mode.choices == ("a", "b")
    assert need.required
    assert (items.type, items.default) == ("json", ["x"])


def test_path_parameters_are_handles_only_when_bound_to_outputs() -> None:
    def body(path: ml.Param[Path] = "data.csv") -> None:  # type: ignore[assignment]
        extract.options(name="a")(path)
        extract.options(name="b")("data.csv")

    pipeline = built(body)
    assert [only(pipeline, name).inputs[0].mode for name in "ab"] == ["value", "value"]  # type: ignore[attr-defined]


def test_locations_name_the_lines() -> None:
    @ml.pipeline
    def two() -> None:
        nothing()
        double(1.0)

    first = two.fn.__code__.co_firstlineno
    name = Path(__file__).relative_to(Path.cwd())
    assert two.build_with_locations()[1] == {"nothing": f"{name}:{first + 2}", "double": f"{name}:{first + 3}"}


def test_a_module_of_decorated_functions_costs_no_pydantic(tmp_path: Path) -> None:
    module = """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        import cloudml as ml
        if TYPE_CHECKING:
            from polars.dataframe.frame import DataFrame
            import pandas as pd

        class Fit(ml.Metrics):
            auc: float

        @ml.processing(cpu=2, retries=ml.retry(3, on=ConnectionError), cache="1d")
        def rows(path: str) -> DataFrame: ...

        @ml.training(spot=True)
        def fit(train: pd.DataFrame, model: ml.Out[ml.Model]) -> Fit: ...

        @ml.pipeline(schedule=ml.cron("0 2 * * MON", tz="Europe/Prague"))
        def train(path: ml.Param[str] = ml.param("x", choices=("x", "y"))) -> None:
            fit(rows(path))
    """
    (tmp_path / "lazy_steps.py").write_text(textwrap.dedent(module))
    program = """
        import sys
        import lazy_steps
        heavy = {"pydantic", "polars", "pandas", "numpy", "yaml", "click", "rich"}
        print(sorted(heavy & set(sys.modules)))
        pipeline = lazy_steps.train.build()
        print(pipeline.steps[0].outputs[0].type, pipeline.steps[1].inputs[0].type)
        print(sorted({"polars", "pandas", "numpy"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "polars.DataFrame pandas.DataFrame", "[]"]


def test_public_names_exist() -> None:
    for name in ml.__all__:
        assert getattr(ml, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tunes'"):
        ml.tunes  # type: ignore[attr-defined]  # noqa: B018
