"""The step types: what their Arguments are, which members stand beside them, which properties they have.

Source: the step classes of AWS's SDK (`sagemaker.mlops.workflow`), the developer guide's pages on step types, caching
and retry policies, and botocore's model for the requests and responses themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COMMON = frozenset({"Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description"})
"""Members that any step may have."""


@dataclass(frozen=True)
class Beside:
    """A member beside Arguments. `type`: string, boolean or list; an expression may stand for strings and booleans."""

    type: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One step type.

    `operation`: the one whose request Arguments is, None for types with Arguments of their own; `optional`: members of
    the request that the pipeline fills in; `excluded`: those that a step may not have; `describes`: operations whose
    responses are the step's properties; `properties`: names of further properties; `caches`, `retries`: it takes a
    CacheConfig, RetryPolicies.
    """

    operation: str | None = None
    optional: frozenset[str] = frozenset()
    excluded: frozenset[str] = field(default=frozenset(), kw_only=True)
    describes: tuple[str, ...] = ()
    properties: frozenset[str] = frozenset()
    beside: dict[str, Beside] = field(default_factory=dict)
    caches: bool = False
    retries: bool = False

    @property
    def members(self) -> frozenset[str]:
        """Every member that a step of this type may have."""
        policies = {"CacheConfig"} if self.caches else set()
        if self.retries:
            policies.add("RetryPolicies")
        return COMMON | frozenset(self.beside) | policies


def _job(operation: str, describes: str | tuple[str, ...], name: str, **beside: Beside) -> Kind:
    responses = (describes,) if isinstance(describes, str) else describes
    return Kind(operation, frozenset({name}), responses, beside=beside, caches=True, retries=True)


def _check(checks: tuple[str, ...], properties: set[str], **beside: Beside) -> Kind:
    flag = Beside("boolean")
    return Kind(
        "CreateProcessingJob",
        frozenset({"ProcessingJobName"}),
        properties=frozenset(properties),
        beside={
            "CheckType": Beside("string", required=True, choices=checks),
            "ModelPackageGroupName": Beside("string"),
            "SkipCheck": flag,
            "FailOnViolation": flag,
            "RegisterNewBaseline": flag,
            "SuppliedBaselineConstraints": Beside("string"),
            **beside,
        },
        caches=True,
    )


OUTPUTS = Beside("list")
"""OutputParameters of Lambda and Callback steps."""

KINDS: dict[str, Kind] = {
    "Processing": _job(
        "CreateProcessingJob", "DescribeProcessingJob", "ProcessingJobName", PropertyFiles=Beside("list")
    ),
    "Training": _job("CreateTrainingJob", "DescribeTrainingJob", "TrainingJobName"),
    "Tuning": _job(
        "CreateHyperParameterTuningJob",
        ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
        "HyperParameterTuningJobName",
    ),
    "Transform": _job("CreateTransformJob", "DescribeTransformJob", "TransformJobName"),
    "Model": Kind("CreateModel", frozenset({"ModelName"}), ("DescribeModel",), retries=True),
    "RegisterModel": Kind(
        "CreateModelPackage",
        frozenset(),
        ("DescribeModelPackage",),
        excluded=frozenset({"ModelPackageName"}),
        retries=True,
    ),
    "EndpointConfig": Kind(
        "CreateEndpointConfig",
        frozenset({"EndpointConfigName"}),
        ("DescribeEndpointConfig",),
        caches=True,
        retries=True,
    ),
    "Endpoint": Kind("CreateEndpoint", frozenset(), ("DescribeEndpoint",), caches=True),
    "QualityCheck": _check(
        ("DATA_QUALITY", "MODEL_QUALITY"),
        {
            "CalculatedBaselineConstraints",
            "CalculatedBaselineStatistics",
            "BaselineUsedForDriftCheckConstraints",
            "BaselineUsedForDriftCheckStatistics",
        },
        SuppliedBaselineStatistics=Beside("string"),
    ),
    "ClarifyCheck": _check(
        ("DATA_BIAS", "MODEL_BIAS", "MODEL_EXPLAINABILITY"),
        {"CalculatedBaselineConstraints", "BaselineUsedForDriftCheckConstraints"},
        ModelName=Beside("string"),
    ),
    "Lambda": Kind(
        properties=frozenset({"OutputParameters"}),
        beside={"FunctionArn": Beside("string", required=True), "OutputParameters": OUTPUTS},
        caches=True,
    ),
    "Callback": Kind(
        properties=frozenset({"OutputParameters"}),
        beside={"SqsQueueUrl": Beside("string", required=True), "OutputParameters": OUTPUTS},
        caches=True,
    ),
    "Condition": Kind(properties=frozenset({"Outcome"})),
    "Fail": Kind(),
    "ForEach": Kind(
        properties=frozenset(
            {
                "Status",
                "InputItemCount",
                "TotalStepCount",
                "SucceededStepCount",
                "FailedStepCount",
                "StoppedStepCount",
                "IterationOutputs",
                "Selected",
            }
        )
    ),
}

CHECKS = frozenset({"QualityCheck", "ClarifyCheck"})
"""Types whose processing job writes a baseline to its first output."""

FOREIGN = frozenset(
    {
        "EMR",
        "EMRServerless",
        "AutoML",
        "InferenceComponent",
        "Lineage",
        "Cleanup",
        "Job",
        "Athena",
        "HubContent",
        "BedrockCustomModel",
        "BedrockCustomModelDeployment",
        "BedrockModelImport",
        "BedrockProvisionedModelThroughput",
    }
)
"""Types that AWS knows (PipelineExecutionStepMetadata and the SDK) and this mock cannot run."""

BODILESS = frozenset({"Condition", "Fail", "ForEach"})
"""Types that no ForEach body may hold (SDK, ForEachStep)."""

TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
"""Run conditions of DependsOn (SDK, TriggerCondition)."""

EXCEPTIONS = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
"""Exception types of retry policies (developer guide, pipelines-retry-policy)."""

EXECUTION = frozenset(
    {
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "StartDateTime",
        "CurrentDateTime",
        "TrainingJobName",
        "ProcessingJobName",
    }
)
"""Execution variables (SDK, ExecutionVariables)."""
