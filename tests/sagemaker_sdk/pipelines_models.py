"""Pipelines of training with an image's own program, tuning, batch transform and hosting."""

from __future__ import annotations

from typing import Any

from harness import BUCKET, PROGRAMS, SERVER, TRAINER, Broken, Case, Run, drop, put, session, step_path
from parts import (
    ANNOUNCE,
    METRICS,
    announce,
    builder,
    evaluate,
    image_trainer,
    output_of,
    prepare,
    processor,
    result,
    source,
    train,
)
from sagemaker.core.helper.session_helper import production_variant
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter
from sagemaker.core.shapes import CheckpointConfig, StoppingCondition
from sagemaker.core.training.configs import Compute, InputData
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.conditions import ConditionGreaterThan
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.endpoint_step import EndpointConfigStep, EndpointStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import ProcessingStep, TransformStep, TuningStep
from sagemaker.train.tuner import HyperparameterTuner

DONE = "Succeeded"
SERVE = {TRAINER: "trainer.py", SERVER: "server.py"}


def spot_training() -> Case:
    """An image's own `train` on spot capacity with checkpoints and retry policies, and what it must not retry."""
    sdk = session()
    fail = ParameterString("Fail", default_value="no")
    prepared = prepare(sdk)
    checkpoints = CheckpointConfig(
        s3_uri=Join(on="/", values=[f"s3://{BUCKET}/checkpoints", ExecutionVariables.PIPELINE_EXECUTION_ID]),
        local_path="/opt/ml/checkpoints",
    )
    trainer = image_trainer(
        sdk,
        {"threshold": 50, "epochs": 3, "fail": fail, "exit-code": 7},
        compute=Compute(instance_type="ml.m5.large", instance_count=1, enable_managed_spot_training=True),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600, max_wait_time_in_seconds=1200),
        checkpoint_config=checkpoints,
        environment={"STAGE": "spot"},
    )
    retries = [
        StepRetryPolicy([StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING], max_attempts=3),
        SageMakerJobStepRetryPolicy(
            exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
            failure_reason_types=[
                SageMakerJobExceptionTypeEnum.INTERNAL_ERROR,
                SageMakerJobExceptionTypeEnum.CAPACITY_ERROR,
            ],
            interval_seconds=5,
            backoff_rate=1.5,
            expire_after_mins=60,
        ),
    ]
    trained = train(trainer, output_of(prepared, "train"), retry_policies=retries)
    pipeline = Pipeline(name="spot-training", parameters=[fail], steps=[prepared, trained], sagemaker_session=sdk)
    runs = (
        Run(
            "defaults",
            "three epochs leave three checkpoints in S3 while the job runs",
            DONE,
            {"Prepare": DONE, "Train": DONE},
            objects={"checkpoints/": 3},
        ),
        Run(
            "algorithm error",
            "exit code 7: the failure file is the reason, and no retry policy covers an algorithm error",
            "Failed",
            {"Prepare": DONE, "Train": "Failed"},
            parameters={"Fail": "diverged"},
            failure={"Train": "diverged"},
        ),
    )
    return Case(pipeline, runs, _break_spot_training, images=SERVE)


def _break_spot_training(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = step_path(definition, "Train")
    return (
        Broken(
            "negative runtime",
            "MaxRuntimeInSeconds is at least 1 in the service model",
            [put(f"{at}/Arguments/StoppingCondition/MaxRuntimeInSeconds", -5)],
            at=("create", "run"),
            says=("MaxRuntimeInSeconds",),
            step="Train",
        ),
        Broken(
            "waits less than it runs",
            "API reference, StoppingCondition: MaxWaitTimeInSeconds must not be less than MaxRuntimeInSeconds",
            [put(f"{at}/Arguments/StoppingCondition/MaxWaitTimeInSeconds", 300)],
            at=("create", "run"),
            says=("MaxWaitTimeInSeconds",),
            step="Train",
        ),
        Broken(
            "no role",
            "RoleArn is required by the service model",
            [drop(f"{at}/Arguments/RoleArn")],
            at=("create", "run"),
            says=("RoleArn",),
            step="Train",
        ),
        Broken(
            "unknown exception type",
            "retry policies know five exception types",
            [put(f"{at}/RetryPolicies/0/ExceptionType", ["Step.BAD_LUCK"])],
            says=("Step.BAD_LUCK",),
        ),
        Broken(
            "unknown member",
            "no such member in CreateTrainingJob",
            [put(f"{at}/Arguments/Banana", 1)],
            says=("Banana",),
        ),
    )


def tuned_model() -> Case:
    """A random and a grid search; the best model of the grid is evaluated and becomes a model if it is right."""
    sdk = session()
    prepared = prepare(sdk)
    channel = [InputData(channel_name="train", data_source=output_of(prepared, "train"))]
    common = {
        "objective_metric_name": "train:accuracy",
        "metric_definitions": [{"Name": one.name, "Regex": one.regex} for one in METRICS],
        "objective_type": "Maximize",
    }
    random = HyperparameterTuner(
        model_trainer=image_trainer(sdk, {"epochs": 1}),
        hyperparameter_ranges={"threshold": ContinuousParameter(20.0, 80.0)},
        strategy="Random",
        max_jobs=4,
        max_parallel_jobs=2,
        **common,
    )
    grid = HyperparameterTuner(
        model_trainer=image_trainer(sdk, {"epochs": 1}),
        hyperparameter_ranges={"threshold": CategoricalParameter(["10", "50", "90"])},
        strategy="Grid",
        max_parallel_jobs=3,
        **common,
    )
    searched = TuningStep(name="Random", step_args=random.tune(inputs=channel))
    gridded = TuningStep(name="Grid", step_args=grid.tune(inputs=channel))
    best = gridded.get_top_model_s3_uri(top_k=0, s3_bucket=BUCKET, prefix="models")
    evaluated, scores = evaluate(sdk, best, output_of(prepared, "test"), depends_on=[searched])
    accuracy = JsonGet(
        step_name="Evaluate", property_file=scores, json_path="binary_classification_metrics.accuracy.value"
    )
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThan(accuracy, 0.99)],
        if_steps=[ModelStep(name="Best", step_args=builder(sdk, best).build())],
        else_steps=[],
    )
    pipeline = Pipeline(name="tuned-model", steps=[prepared, searched, gridded, evaluated, gate], sagemaker_session=sdk)
    steps = dict.fromkeys(("Prepare", "Random", "Grid", "Evaluate", "Gate", "Best"), DONE)
    run = Run(
        "defaults",
        "of 10, 50 and 90 only 50 separates the classes: the best trial's accuracy is 1.0",
        DONE,
        steps,
        outcomes={"Gate": "True"},
    )
    return Case(pipeline, (run,), _break_tuned_model, images=SERVE)


def _break_tuned_model(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("Random", "Grid", "Evaluate")}
    config = "Arguments/HyperParameterTuningJobConfig"
    return (
        Broken(
            "unknown strategy",
            "not in the enum HyperParameterTuningJobStrategyType",
            [put(f"{at['Random']}/{config}/Strategy", "Luck")],
            says=("Luck",),
        ),
        Broken(
            "objective that no metric defines",
            "a custom image's objective must be among its metric definitions",
            [put(f"{at['Random']}/{config}/HyperParameterTuningJobObjective/MetricName", "recall")],
            at=("create", "run"),
            says=("recall",),
            step="Random",
        ),
        Broken(
            "grid over a continuous range",
            "grid search takes categorical parameters only (developer guide, how hyperparameter tuning works)",
            [put(f"{at['Random']}/{config}/Strategy", "Grid")],
            at=("create", "run"),
            says=("Grid",),
            step="Random",
        ),
    )


def batch_scoring() -> Case:
    """train -> Model -> Transform -> count what it wrote."""
    sdk = session()
    prepared = prepare(sdk)
    trained = train(image_trainer(sdk, {"threshold": 50}), output_of(prepared, "train"))
    model = ModelStep(name="Model", step_args=builder(sdk, trained.properties.ModelArtifacts.S3ModelArtifacts).build())
    transformer = Transformer(
        model_name=model.properties.ModelName,
        instance_count=1,
        instance_type="ml.m5.large",
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        max_payload=1,
        max_concurrent_transforms=2,
        output_path=Join(on="/", values=[f"s3://{BUCKET}/scored", ExecutionVariables.PIPELINE_EXECUTION_ID]),
        sagemaker_session=sdk,
    )
    # Only the charge goes to the model; its answer is joined to the input line.
    step_args = transformer.transform(
        data=output_of(prepared, "test"),
        content_type="text/csv",
        split_type="Line",
        input_filter="$[0]",
        join_source="Input",
        output_filter="$[0,-1]",
    )
    scored = TransformStep(name="Score", step_args=step_args)
    counted = processor(sdk).run(
        code=str(PROGRAMS / "count_lines.py"),
        inputs=[source("scored", scored.properties.TransformOutput.S3OutputPath)],
        outputs=[result("counts")],
    )
    counts = PropertyFile(name="Counted", output_name="counts", path="counts.json")
    count = ProcessingStep(name="Count", step_args=counted, property_files=[counts])
    said = announce(
        "Announce",
        {
            "lines": JsonGet(step_name="Count", property_file=counts, json_path="lines"),
            "positive": JsonGet(step_name="Count", property_file=counts, json_path="positive"),
        },
    )
    pipeline = Pipeline(
        name="batch-scoring", steps=[prepared, trained, model, scored, count, said], sagemaker_session=sdk
    )
    run = Run(
        "defaults",
        "10 test customers, 5 of them above the threshold",
        DONE,
        dict.fromkeys(("Prepare", "Train", "Model", "Score", "Count", "Announce"), DONE),
        objects={"scored/": 1},
        outputs={"Announce": {"text": "10|5", "count": "2", "urgent": "false"}},
    )
    return Case(pipeline, (run,), _break_batch_scoring, images=SERVE, functions=ANNOUNCE)


def _break_batch_scoring(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("Model", "Score", "Count")}
    return (
        Broken(
            "model of a missing step",
            "references name steps of the definition",
            [put(f"{at['Score']}/Arguments/ModelName", {"Get": "Steps.Models.ModelName"})],
            says=("Models",),
        ),
        Broken(
            "unknown model",
            "CreateTransformJob refuses a model that does not exist",
            [put(f"{at['Score']}/Arguments/ModelName", "no-such-model")],
            at=("run",),
            step="Score",
        ),
        Broken(
            "unknown type",
            "no such step type",
            [put(f"{at['Score']}/Type", "BatchTransform")],
            says=("BatchTransform",),
        ),
    )


def hosted_model() -> Case:
    """train -> Model -> EndpointConfig -> Endpoint; the service gives the configuration its own name."""
    sdk = session()
    stage = ParameterString("Stage", default_value="dev")
    prepared = prepare(sdk)
    trained = train(image_trainer(sdk, {"threshold": 50}), output_of(prepared, "train"))
    model = ModelStep(name="Model", step_args=builder(sdk, trained.properties.ModelArtifacts.S3ModelArtifacts).build())
    variant = production_variant(
        model_name=model.properties.ModelName,
        instance_type="ml.m5.large",
        initial_instance_count=1,
        container_startup_health_check_timeout=120,
    )
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    configured = EndpointConfigStep(
        name="Configure",
        step_args=sdk.create_endpoint_config(
            name="churn-config", production_variants=[variant], data_capture_config_dict=capture
        ),
    )
    endpoint = EndpointStep(
        name="Deploy",
        step_args=sdk.create_endpoint(
            endpoint_name=Join(on="-", values=["churn", stage]),
            config_name=configured.properties.EndpointConfigName,
            tags=[{"Key": "team", "Value": "ml"}],
        ),
    )
    said = announce(
        "Announce", {"endpoint": endpoint.properties.EndpointName, "status": endpoint.properties.EndpointStatus}
    )
    pipeline = Pipeline(
        name="hosted-model",
        parameters=[stage],
        steps=[prepared, trained, model, configured, endpoint, said],
        sagemaker_session=sdk,
    )
    steps = dict.fromkeys(("Prepare", "Train", "Model", "Configure", "Deploy", "Announce"), DONE)
    told = {"Announce": {"text": "churn-dev|InService", "count": "2", "urgent": "false"}}
    asked = {"churn-dev": ("60\n10\n", "1\n0\n")}
    runs = (
        Run(
            "create",
            "the endpoint does not exist, so it is created",
            DONE,
            steps,
            outputs=told,
            endpoints=asked,
        ),
        Run(
            "update",
            "it exists now, so it is updated to the new configuration",
            DONE,
            steps,
            outputs=told,
            endpoints=asked,
        ),
    )
    return Case(pipeline, runs, _break_hosted_model, images=SERVE, functions=ANNOUNCE)


def _break_hosted_model(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("Configure", "Deploy")}
    return (
        Broken(
            "no variants",
            "ProductionVariants is required and has at least one entry",
            [put(f"{at['Configure']}/Arguments/ProductionVariants", [])],
            at=("create", "run"),
            says=("ProductionVariants",),
            step="Configure",
        ),
        Broken(
            "unknown configuration",
            "CreateEndpoint refuses a configuration that does not exist",
            [put(f"{at['Deploy']}/Arguments/EndpointConfigName", "no-such-config")],
            at=("run",),
            step="Deploy",
        ),
        Broken(
            "two steps wait for each other",
            "Configure would wait for Deploy, which takes its name from it",
            [put(f"{at['Configure']}/DependsOn", ["Deploy"])],
            says=("cycl",),
        ),
    )


CASES = (spot_training, tuned_model, batch_scoring, hosted_model)
