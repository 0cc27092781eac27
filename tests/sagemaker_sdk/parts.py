"""Small builders shared by the pipelines: processors, trainers, models, inputs and outputs."""

from __future__ import annotations

from typing import Any

from harness import BUCKET, IMAGE, PROGRAMS, REGISTRY, ROLE, SERVER, TRAINER
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    MetricDefinition,
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.model_trainer import ModelTrainer

PROCESSING = "/opt/ml/processing"
RAW_URI = f"s3://{BUCKET}/raw/"
ANALYZER = f"{REGISTRY}/sagemaker-model-monitor-analyzer:1"
METRICS = [MetricDefinition(name="train:accuracy", regex="train:accuracy=([0-9.]+);")]


def source(name: str, uri: Any) -> ProcessingInput:
    """Input `name`, put where the programs look for it."""
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri,
            local_path=f"{PROCESSING}/input/{name}",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
            s3_data_distribution_type="FullyReplicated",
        ),
    )


def result(name: str, uri: Any = None) -> ProcessingOutput:
    """Output `name`, kept apart for every execution unless a URI is given."""
    parts = [f"s3://{BUCKET}/runs", ExecutionVariables.PIPELINE_EXECUTION_ID, name]
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(
            s3_uri=uri or Join(on="/", values=parts),
            local_path=f"{PROCESSING}/output/{name}",
            s3_upload_mode="EndOfJob",
        ),
    )


def processor(session: Any, **options: Any) -> ScriptProcessor:
    """A ScriptProcessor of the plain Python image."""
    given = {"instance_count": 1, "instance_type": "ml.t3.medium", "base_job_name": "churn"} | options
    return ScriptProcessor(role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=session, **given)


def prepare(session: Any, name: str = "Prepare", arguments: list[Any] | None = None, **options: Any) -> ProcessingStep:
    """The step that most pipelines begin with; its property file `Counts` holds the counts."""
    step_args = processor(session).run(
        code=str(PROGRAMS / "prepare.py"),
        inputs=[source("raw", RAW_URI)],
        outputs=[result(part) for part in ("train", "test", "report")],
        arguments=arguments,
    )
    counts = PropertyFile(name="Counts", output_name="report", path="report.json")
    return ProcessingStep(name=name, step_args=step_args, property_files=[counts], **options)


def output_of(step: Any, name: str) -> Any:
    """Reference to the URI of an output of a processing step."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def image_trainer(session: Any, hyperparameters: dict[str, Any], **options: Any) -> ModelTrainer:
    """A ModelTrainer of an image whose own program is `train`."""
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=ROLE,
        base_job_name="churn",
        training_image=TRAINER,
        compute=options.pop("compute", None) or Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters=hyperparameters,
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/models"),
        **options,
    )
    return trainer.with_metric_definitions(METRICS)


def script_trainer(session: Any, hyperparameters: dict[str, Any], **options: Any) -> ModelTrainer:
    """A ModelTrainer with `source_code`: the SDK's own bash entry point starts the script."""
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=ROLE,
        base_job_name="churn",
        training_image=IMAGE,
        source_code=SourceCode(source_dir=str(PROGRAMS / "bundle"), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters=hyperparameters,
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/models"),
        **options,
    )
    return trainer.with_metric_definitions(METRICS)


def train(trainer: ModelTrainer, data: Any, name: str = "Train", **options: Any) -> TrainingStep:
    """A training step with the one channel `train`."""
    step_args = trainer.train(input_data_config=[InputData(channel_name="train", data_source=data)])
    return TrainingStep(name=name, step_args=step_args, **options)


def evaluate(session: Any, model: Any, test: Any, name: str = "Evaluate", **options: Any) -> tuple[ProcessingStep, Any]:
    """The evaluation step and its property file `Evaluation`."""
    scores = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    step_args = processor(session).run(
        code=str(PROGRAMS / "evaluate.py"),
        inputs=[source("model", model), source("test", test)],
        outputs=[result("evaluation")],
    )
    return ProcessingStep(name=name, step_args=step_args, property_files=[scores], **options), scores


def builder(session: Any, model: Any) -> ModelBuilder:
    """A ModelBuilder of the serving image."""
    return ModelBuilder(
        image_uri=SERVER,
        s3_model_data_url=model,
        role_arn=ROLE,
        sagemaker_session=session,
        env_vars={"LOG_LEVEL": "20"},
    )


def function_arn(name: str) -> str:
    """ARN of a Lambda function that exists already."""
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


def announce(name: str, inputs: dict[str, Any], **options: Any) -> LambdaStep:
    """A step of the function `announce` with all its outputs."""
    outputs = [
        LambdaOutput("text", LambdaOutputTypeEnum.String),
        LambdaOutput("count", LambdaOutputTypeEnum.Integer),
        LambdaOutput("urgent", LambdaOutputTypeEnum.Boolean),
    ]
    lambda_function = Lambda(function_arn=function_arn("announce"))
    return LambdaStep(name=name, lambda_func=lambda_function, inputs=inputs, outputs=outputs, **options)


ANNOUNCE = {function_arn("announce"): "lambdas/announce.py:handler"}
