"""Twins about jobs: processing, training, tuning."""

from __future__ import annotations

from typing import Any

from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.shapes import CheckpointConfig, MetricDefinition, StoppingCondition
from sagemaker.core.training.configs import Compute, Networking
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, TuningStep
from sagemaker.train.tuner import HyperparameterTuner
from twin_parts import (
    CONTENT,
    FRESH,
    MACHINE,
    METRIC,
    ROLE,
    RUN,
    RUN_ID,
    Twin,
    channels,
    faults,
    network,
    output_of,
    processing,
    run_uri,
    trainer,
    training,
)

NAME = "samples-aws-made"
OWNER = {"cloudml:pipeline": "made", "cloudml:project": "samples", "cloudml:target": "aws"}
AUC = {"Name": "scores.auc", "Regex": METRIC.format(r"scores\.auc")}
KEY = "arn:aws:kms:us-east-1:123456789012:key/0d1e"


def pipeline(session: Any, steps: list[Any], *parameters: Any) -> Pipeline:
    """A pipeline without an experiment."""
    return Pipeline(
        name=NAME,
        parameters=[*parameters, FRESH, CONTENT],
        pipeline_experiment_config=None,
        steps=steps,
        sagemaker_session=session,
    )


def _measured(job: Any) -> Any:
    return job.with_metric_definitions([MetricDefinition(name=AUC["Name"], regex=AUC["Regex"])])


def jobs(session: Any) -> Twin:
    """Parameters of all types; processing and training with caching, retries, times, variables, spot and nodes.

    Times: four attempts of 1000 s (3000 s) with waits of 5, 7.5 and 11.25 s, and ten minutes for the start.
    """
    fresh = ("fresh", FRESH)
    count = ParameterInteger("count", default_value=4)
    rate = ParameterFloat("rate", default_value=0.25)
    strict = ParameterBoolean(name="strict", default_value=True)
    region = ParameterString("region", default_value="north", enum_values=["north", "south"])
    level = ParameterInteger("level")
    declared = [count, rate, strict, region, level]
    given = sorted((f"parameters.{one.name}", one) for one in declared)
    prepare = processing(
        session, "prepare", fresh, *given,
        job={"max_runtime_in_seconds": 4624, "env": {"STAGE": "test"}, "tags": [{"Key": "cost", "Value": "7"}]},
        description="Rows of the region",
        cache_config=CacheConfig(enable_caching=True, expire_after="P30D"),
        retry_policies=faults(),
    )  # fmt: skip
    spot = _measured(
        trainer(
            session, "fit",
            compute=Compute(
                instance_type=MACHINE, instance_count=2, volume_size_in_gb=30, enable_managed_spot_training=True
            ),
            stopping=StoppingCondition(max_runtime_in_seconds=12_624, max_wait_time_in_seconds=12_624),
            checkpoint_config=CheckpointConfig(s3_uri=run_uri("fit", "checkpoints"), local_path="/opt/ml/checkpoints"),
            environment={"STAGE": "test"},
        )
    )  # fmt: skip
    fit = training(spot, "fit", output_of(prepare), retry_policies=faults())
    plain = training(
        _measured(trainer(session, "plain")), "plain", output_of(prepare), depends_on=[fit],
        cache_config=CacheConfig(enable_caching=True, expire_after="P1D"),
    )  # fmt: skip
    archive = plain.properties.ModelArtifacts.S3ModelArtifacts
    report = processing(session, "report", RUN, read=(archive,), depends_on=["fit"])
    made = pipeline(session, [prepare, fit, plain, report], *declared)
    return Twin(made, ROLE, OWNER, parallel=3, description="four jobs")


def closed(session: Any) -> Twin:
    """Jobs with keys, in a network, with tags."""
    settings = {
        "volume_kms_key": KEY,
        "output_kms_key": KEY,
        "network_config": network(),
        "tags": [{"Key": "team", "Value": "growth"}],
    }
    first = processing(session, "a", RUN, job=settings)
    job = trainer(
        session, "b", machines={"volume_kms_key_id": KEY}, output={"kms_key_id": KEY},
        networking=Networking(security_group_ids=["sg-1"], subnets=["subnet-1"]),
        tags=[{"key": "team", "value": "growth"}],
    )  # fmt: skip
    second = training(_measured(job), "b", output_of(first))
    return Twin(pipeline(session, [first, second]), ROLE, OWNER | {"team": "growth"})


def _tuning(session: Any, name: str, data: Any, **options: Any) -> list[Any]:
    """A search by script mode, and the job that fetches the best trial's outputs."""
    start = {
        "sagemaker_program": "start.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/cloudml",
        "cloudml_set_run.id": Join(on="", values=[RUN_ID]),
    }
    tuner = HyperparameterTuner(
        model_trainer=trainer(session, name, hyperparameters=start),
        objective_metric_name="objective",
        metric_definitions=[{"Name": "objective", "Regex": METRIC.format("objective")}, AUC],
        **options,
    )
    search = TuningStep(name=name, step_args=tuner.tune(inputs=channels(name, data)), display_name=name)
    outputs = ("scores", "model", "best_parameters", "best_value", "trials")
    chosen = ("tuning", search.properties.HyperParameterTuningJobName)
    return [search, processing(session, f"{name}-best", RUN, chosen, write=outputs, display=name)]


def search(session: Any) -> Twin:
    """A search that SageMaker itself proposes the points of, and one over numbered points."""
    start = processing(session, "start", RUN)
    space = {
        "rate": ContinuousParameter(0.001, 1.0, "Logarithmic"),
        "depth": IntegerParameter(2, 8, "Linear"),
        "kind": CategoricalParameter(['"a"', '"b"']),
    }
    bayesian = _tuning(
        session, "bayesian", output_of(start), strategy="Bayesian", objective_type="Maximize", max_jobs=12,
        max_parallel_jobs=3, random_seed=7, early_stopping_type="Auto", hyperparameter_ranges=space,
    )  # fmt: skip
    numbers = {"cloudml_trial": CategoricalParameter([str(number) for number in range(6)])}
    grid = _tuning(
        session, "grid", output_of(start), strategy="Grid", objective_type="Minimize", max_jobs=6,
        max_parallel_jobs=2, hyperparameter_ranges=numbers,
    )  # fmt: skip
    return Twin(pipeline(session, [start, *bayesian, *grid]), ROLE, OWNER)


TWINS = (jobs, closed, search)
