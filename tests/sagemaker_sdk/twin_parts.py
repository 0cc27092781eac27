"""Builders of the steps that cloudml's compiler writes, with the SDK's own classes.

The conventions are those of cloudml's jobs (docs/concepts/architecture.md): a job's code is its input `cloudml`, its
result the output `result`, values that are known at run time are given as `--set name=value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    StoppingCondition,
)
from sagemaker.core.training.configs import Compute, InputData
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train.model_trainer import ModelTrainer

ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/ml:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
BASE = "s3://my-bucket/samples/aws"
PROCESSING = "/opt/ml/processing"
MACHINE = "ml.m5.large"
DAY = 86_400
RUN_ID = ExecutionVariables.PIPELINE_EXECUTION_ID
RUN = ("run.id", RUN_ID)
FRESH = ParameterString("cloudml-fresh", default_value="same")
CONTENT = ParameterString("cloudml-content", default_value="same")
RESULT = PropertyFile(name="result", output_name="result", path="result.json")
METRIC = r"cloudml:metric {}=([-+0-9.eEinfa]+)"


@dataclass(frozen=True)
class Twin:
    """A pipeline of the SDK, and what CreatePipeline is told beside its definition."""

    pipeline: Any
    role: str
    tags: dict[str, str]
    parallel: int | None = None
    description: str | None = None


def run_uri(*folders: Any) -> Join:
    """A folder of the run."""
    return Join(on="/", values=[f"{BASE}/runs", RUN_ID, *folders])


def code_uri(job: str) -> str:
    """Where the code of a job lies; the digest in it is cloudml's own matter."""
    return f"{BASE}/jobs/code-of-{job}/"


def told(*pairs: tuple[str, Any]) -> list[Any]:
    """The command line of values that are known at run time."""
    return [word for name, value in pairs for word in ("--set", Join(on="=", values=[name, value]))]


def processing(
    session: Any,
    name: str,
    *sets: tuple[str, Any],
    read: tuple[Any, ...] = (),
    write: tuple[str, ...] = ("output",),
    item: tuple[Any, ...] = (),
    job: dict[str, Any] | None = None,
    **options: Any,
) -> ProcessingStep:
    """A processing step. `read`: URIs; `write`: outputs; `item`: the last folder of the outputs; `job`: of the job."""
    uris = {"cloudml": code_uri(name), **{f"in-{number}": uri for number, uri in enumerate(read)}}
    settings = {"max_runtime_in_seconds": DAY} | (job or {})
    processor = Processor(
        role=ROLE,
        image_uri=IMAGE,
        instance_count=1,
        instance_type=MACHINE,
        entrypoint=["python3", f"{PROCESSING}/input/cloudml/start.py"],
        sagemaker_session=session,
        **settings,
    )
    step_args = processor.run(
        inputs=[_input(key, uri) for key, uri in uris.items()],
        outputs=[_output(key, run_uri(name, key, *item)) for key in (*write, "result")],
        arguments=told(*sets),
    )
    return ProcessingStep(name=name, step_args=step_args, display_name=options.pop("display", name), **options)


def _input(name: str, uri: Any) -> ProcessingInput:
    place = ProcessingS3Input(
        s3_uri=uri, local_path=f"{PROCESSING}/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return ProcessingInput(input_name=name, s3_input=place)


def _output(name: str, uri: Any) -> ProcessingOutput:
    place = ProcessingS3Output(s3_uri=uri, local_path=f"{PROCESSING}/output/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=place)


def output_of(step: Any, name: str = "output") -> Any:
    """Reference to where an output of a processing step lies."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def result_of(step: str, path: str) -> JsonGet:
    """A value of a processing step's result.json."""
    return JsonGet(step_name=step, property_file=RESULT, json_path=path)


def trainer(session: Any, name: str, **options: Any) -> ModelTrainer:
    """A ModelTrainer whose archive goes to the run's folder."""
    output = {"s3_output_path": run_uri(name), **options.pop("output", {})}
    return ModelTrainer(
        sagemaker_session=session,
        role=ROLE,
        base_job_name=name,
        training_image=IMAGE,
        compute=Compute(
            instance_type=MACHINE, instance_count=1, volume_size_in_gb=30, **options.pop("machines", {})
        ) if "compute" not in options else options.pop("compute"),
        stopping_condition=options.pop("stopping", StoppingCondition(max_runtime_in_seconds=DAY)),
        output_data_config=OutputDataConfig(**output),
        **options,
    )  # fmt: skip


def channels(name: str, *uris: Any) -> list[InputData]:
    """The channels of a training job: its code, then what it reads."""
    read = [InputData(channel_name=f"in-{number}", data_source=uri) for number, uri in enumerate(uris)]
    return [InputData(channel_name="cloudml", data_source=code_uri(name)), *read]


def training(job: ModelTrainer, name: str, data: Any, **options: Any) -> TrainingStep:
    """A training step with one input."""
    step_args = job.train(input_data_config=channels(name, data))
    return TrainingStep(name=name, step_args=step_args, display_name=name, **options)


def network() -> NetworkConfig:
    """The network of a processing job."""
    return NetworkConfig(security_group_ids=["sg-1"], subnets=["subnet-1"])


def faults() -> list[Any]:
    """Three retries after faults of the service or of its machines."""
    often = {"max_attempts": 3, "interval_seconds": 5, "backoff_rate": 1.5}
    kinds = SageMakerJobExceptionTypeEnum
    return [
        StepRetryPolicy([StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING], **often),
        SageMakerJobStepRetryPolicy(failure_reason_types=[kinds.INTERNAL_ERROR, kinds.CAPACITY_ERROR], **often),
    ]
