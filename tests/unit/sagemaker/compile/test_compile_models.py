"""Models: tuning, register, approve, deploy, verify, batch, notify; schedules and resources around the pipeline."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import pytest
from compile_lab import compiled, job, literal, pipeline, target

from cloudml import spec
from cloudml.authoring.pipelines import PipelineFunction
from cloudml.errors import SpecError
from cloudml.testing.harness import SAMPLES, open_backend
from cloudml_sagemaker.compile.tuning import _shape

REFUSED = {"nested_maps": "CML333", "empty": "CML339"}


def _samples() -> list[str]:
    import sys

    if str(SAMPLES) not in sys.path:
        sys.path.insert(0, str(SAMPLES))
    modules = [importlib.import_module(path.stem) for path in sorted(SAMPLES.glob("sample_*.py"))]
    return [
        f"{module.__name__}:{name}"
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, PipelineFunction)
    ]


@pytest.mark.parametrize("place", _samples())
def test_every_sample_is_accepted_or_refused_with_its_reason(place: str) -> None:
    """`compiled` reads each with the mock's own parser of definitions, which knows no compiler."""
    code = REFUSED.get(place.partition(":")[2])
    if code is None:
        assert compiled(place).steps
    else:
        with pytest.raises(SpecError, match=code):
            compiled(place)


def test_a_random_search_tries_the_points_of_the_local_backend(tmp_path: Path) -> None:
    with open_backend("local", {"state": str(tmp_path)}) as local:
        record = local.run("sample_tuning:random")
        task = record.task("parabola")
        assert task is not None
        tried = [{"x": row["x"], "y": row["y"]} for row in task.values["trials"]]
    assert compiled("sample_tuning:random").step_json("parabola")["tuning"]["points"] == tried


def test_a_grid_holds_every_point_once() -> None:
    points = compiled("sample_tuning:grid").step_json("parabola")["tuning"]["points"]
    every = itertools.product([0.0, 1.0, 2.0, 3.0, 4.0], [2, 3, 4])
    assert sorted((one["x"], one["y"]) for one in points) == sorted(every)


def test_a_grid_has_as_many_jobs_as_sagemaker_counts_points() -> None:
    """Developer guide: with Grid, MaxNumberOfTrainingJobs is the number of combinations, or left out."""
    config = compiled("sample_tuning:grid").arguments("parabola")["HyperParameterTuningJobConfig"]
    assert config["Strategy"] == "Grid"
    ranges = config["ParameterRanges"]["CategoricalParameterRanges"]
    total = 1
    for one in ranges:
        total *= len(one["Values"])
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": total, "MaxParallelTrainingJobs": 2}
    assert total == 15


@pytest.mark.parametrize("count", [1, 29, 30, 31, 37, 60, 61, 899, 900])
def test_any_number_of_trials_is_numbered_by_two_short_lists(count: int) -> None:
    rows, width = _shape(count)
    assert rows <= 30
    assert width <= 30
    spare = rows * width - count
    assert 0 <= spare < 30
    assert not any(0 <= a * b - count < spare for a in range(1, 31) for b in range(1, 31)), "as few to spare as can be"


def test_a_bayesian_search_is_sagemaker_s_own() -> None:
    made = compiled("sample_tuning:bayesian")
    config = made.arguments("parabola")["HyperParameterTuningJobConfig"]
    assert config["Strategy"] == "Bayesian"
    assert config["RandomSeed"] == 5
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Minimize", "MetricName": "objective"}
    assert config["ParameterRanges"] == {
        "ContinuousParameterRanges": [
            {"Name": "x", "MinValue": "-10.0", "MaxValue": "10.0", "ScalingType": "Linear"}
        ]
    }  # fmt: skip
    trial = made.arguments("parabola")["TrainingJobDefinition"]
    assert trial["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] == "objective"
    assert "ContainerEntrypoint" not in trial["AlgorithmSpecification"], "a tuning job has none in AWS's model"
    hyperparameters = trial["StaticHyperParameters"]
    assert hyperparameters["sagemaker_program"] == "start.py"
    text = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.seed_offset"}]}}
    assert hyperparameters["cloudml_set_parameters.seed_offset"] == text, "a hyperparameter is a text"


def test_ranges_with_steps_and_choices_are_carried_as_text() -> None:
    function = spec.FunctionRef(module="sample_tuning", name="parabola")
    ports = tuple(spec.Port(name=name, type="float") for name in ("x", "rate", "kind", "depth"))
    scores = spec.Port(name="scores", type="sample_tuning.Loss", mode="metrics", fields=("loss",))
    fit = spec.TrainingStep(name="search", function=function, inputs=ports, outputs=(scores,))
    space = (
        spec.Dimension(name="x", type="float", low=0.5, high=2.0, step=0.5),
        spec.Dimension(name="rate", type="float", low=0.01, high=1, log=True),
        spec.Dimension(name="kind", type="choice", choices=("a", 1, True)),
        spec.Dimension(name="depth", type="int", low=2, high=9),
    )
    search = spec.TuningStep(
        name="search", job=fit, objective="loss", direction="maximize", trials=5, parallel=9, space=space,
        pruning=spec.Pruning(),
    )  # fmt: skip
    made = compiled(pipeline(search))
    config = made.arguments("search")["HyperParameterTuningJobConfig"]
    ranges = config["ParameterRanges"]
    assert ranges["IntegerParameterRanges"] == [
        {"Name": "x", "MinValue": "0", "MaxValue": "3", "ScalingType": "Linear"},
        {"Name": "depth", "MinValue": "2", "MaxValue": "9", "ScalingType": "Linear"},
    ]
    assert ranges["ContinuousParameterRanges"][0]["ScalingType"] == "Logarithmic"
    assert ranges["CategoricalParameterRanges"] == [{"Name": "kind", "Values": ['"a"', "1", "true"]}]
    assert config["TrainingJobEarlyStoppingType"] == "Auto"
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 5}
    parameters = made.step_json("search")["tuning"]["parameters"]
    assert parameters["x"] == {"argument": "x", "as": "step", "type": "float", "low": 0.5, "step": 0.5}


def test_consumers_read_the_best_trial_from_its_own_step() -> None:
    made = compiled("sample_tuning:grid")
    assert made.top == ["parabola", "parabola-best", "use"]
    assert made.steps["parabola-best"]["DisplayName"] == "parabola"
    assert set(made.outputs("parabola-best")) == {
        "scores", "weights", "best_parameters", "best_value", "trials", "result",
    }  # fmt: skip
    assert all("Steps.parabola-best." in str(uri) for uri in made.inputs("use").values())
    name = made.arguments("parabola-best")["AppSpecification"]["ContainerArguments"][-1]
    assert name["Std:Join"]["Values"] == ["tuning", {"Get": "Steps.parabola.HyperParameterTuningJobName"}]


def test_a_model_s_life() -> None:
    made = compiled("sample_models:served")
    register = made.step_json("register_sample-line")["action"]
    assert register["group"] == "samples-aws-sample-line"
    assert register["predictor"] == "sample_models:rounded"
    assert register["metrics"] == [
        {"name": "scores", "value": {"input": "in-0", "port": "scores", "field": None}}
    ]  # fmt: skip
    endpoint = made.step_json("deploy_sample-service")["action"]["endpoint"]
    assert endpoint["EndpointName"] == "samples-aws-sample-service"
    routing = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    verify = made.step_json("verify_sample-service")["action"]
    assert (verify["function"], verify["rows"], verify["requests"]) == ("sample_models:exact", 5, 5)
    [group] = made.of_kind("model_group")
    assert group.name == "samples-aws-sample-line"
    for name in ("register_sample-line", "deploy_sample-service", "verify_sample-service"):
        assert "CacheConfig" not in made.steps[name], "what a step does to the world is wanted each time"


def test_an_approval_waits_in_a_queue() -> None:
    made = compiled("sample_models:approved")
    gate = made.steps["gate"]
    assert gate["Type"] == "Callback"
    assert gate["SqsQueueUrl"] == "https://sqs.us-east-1.amazonaws.com/123456789012/samples-aws-approvals"
    assert gate["Arguments"]["approvers"] == '["ada", "grace"]'
    assert [one.name for one in made.of_kind("queue")] == ["samples-aws-approvals"]
    assert made.steps["behind"]["DependsOn"] == ["gate"]


def _scheduled(schedule: spec.Schedule) -> dict[str, object]:
    made = compiled(pipeline(job("a", ("value", literal(1))), schedule=schedule))
    [found] = made.of_kind("schedule")
    return found.document


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 2 * * MON", "cron(0 2 ? * MON *)"),
        ("*/15 * * * *", "cron(0/15 * * * ? *)"),
        ("30 6 1,15 * *", "cron(30 6 1,15 * ? *)"),
        ("0 0 * * 0", "cron(0 0 ? * SUN *)"),
        ("0 0 * * 7", "cron(0 0 ? * SUN *)"),
        ("0 0 * * 1-5", "cron(0 0 ? * MON,TUE,WED,THU,FRI *)"),
        ("0 0 * * 5-7", "cron(0 0 ? * SUN,FRI,SAT *)"),
        ("0 9-17/4 * jan *", "cron(0 9,13,17 * JAN ? *)"),
        ("0 0 */10 * *", "cron(0 0 1/10 * ? *)"),
        ("0 0 1 jan-jul/3 *", "cron(0 0 1 1,4,7 ? *)"),
    ],
)
def test_cron_in_scheduler_s_six_fields(expression: str, expected: str) -> None:
    """EventBridge Scheduler user guide, "Schedule types": `?` in one of the day fields, Sunday is the first day."""
    document = _scheduled(spec.Cron(expression=expression, timezone="Europe/Prague"))
    assert document["ScheduleExpression"] == expected
    assert document["ScheduleExpressionTimezone"] == "Europe/Prague"
    from cloudml_sagemaker.mock.events import schedules

    assert schedules.refuse(expected, "Europe/Prague", scheduler=True) is None


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(60, "rate(1 minute)"), (5400, "rate(90 minutes)"), (7200, "rate(2 hours)"), (86_400, "rate(1 day)")],
)
def test_intervals(interval: float, expected: str) -> None:
    assert _scheduled(spec.Every(interval=interval))["ScheduleExpression"] == expected


def test_schedules_that_scheduler_has_not() -> None:
    with pytest.raises(SpecError, match="CML341"):
        _scheduled(spec.Cron(expression="0 0 1 * MON"))
    with pytest.raises(SpecError, match="CML341"):
        _scheduled(spec.Every(interval=90))
    required = (spec.Parameter(name="x", type="int", required=True),)
    made = pipeline(
        job("a", ("value", spec.ParameterRef(name="x"))), parameters=required, schedule=spec.Every(interval=60)
    )
    with pytest.raises(SpecError, match="CML341"):
        compiled(made)


def test_schedule_target_and_pipeline_tags() -> None:
    document = _scheduled(spec.Every(interval=60))
    assert document["Target"]["Arn"] == "arn:aws:sagemaker:us-east-1:123456789012:pipeline/samples-aws-made"  # type: ignore[index]
    made = compiled("sample_flow:chain", target(tags={"team": "ml"}))
    assert {one["Key"]: one["Value"] for one in made.pipeline["Tags"]} == {
        "cloudml:pipeline": "chain", "cloudml:project": "samples", "cloudml:target": "aws", "team": "ml",
    }  # fmt: skip
