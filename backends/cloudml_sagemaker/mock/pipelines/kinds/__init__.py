"""The kinds of steps that run, by the definition's Type."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.definition.values import Unresolved
from cloudml_sagemaker.mock.pipelines.kinds.base import Kind
from cloudml_sagemaker.mock.pipelines.kinds.calls import CallbackKind, LambdaKind
from cloudml_sagemaker.mock.pipelines.kinds.checks import CheckKind
from cloudml_sagemaker.mock.pipelines.kinds.flow import ConditionKind, FailKind
from cloudml_sagemaker.mock.pipelines.kinds.jobs import PROCESSING, TRAINING, TRANSFORM, TUNING, JobKind, TuningKind
from cloudml_sagemaker.mock.pipelines.kinds.loops import LoopKind
from cloudml_sagemaker.mock.pipelines.kinds.resources import CreatedKind, EndpointKind, RegisterKind
from cloudml_sagemaker.mock.pipelines.room import Run

_PROCESSING_KEY = ("AppSpecification", "Environment", "ProcessingInputs")
_TRAINING_KEY = (
    "AlgorithmSpecification",
    "CheckpointConfig",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "Environment",
    "HyperParameters",
    "InputDataConfig",
)
_TUNING_KEY = (
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition.AlgorithmSpecification",
    "TrainingJobDefinition.HyperParameterRanges",
    "TrainingJobDefinition.InputDataConfig",
    "TrainingJobDefinition.StaticHyperParameters",
    "TrainingJobDefinition.TuningObjective",
    "TrainingJobDefinitions",
)
_TRANSFORM_KEY = ("DataProcessing", "Environment", "ModelName", "TransformInput")

KINDS: dict[str, Kind] = {
    "Processing": JobKind(PROCESSING, _PROCESSING_KEY),
    "Training": JobKind(TRAINING, _TRAINING_KEY),
    "Tuning": TuningKind(TUNING, _TUNING_KEY),
    "Transform": JobKind(TRANSFORM, _TRANSFORM_KEY),
    "QualityCheck": CheckKind(PROCESSING, "QualityCheck", _PROCESSING_KEY),
    "ClarifyCheck": CheckKind(PROCESSING, "ClarifyCheck", _PROCESSING_KEY),
    "Model": CreatedKind("Model"),
    "RegisterModel": RegisterKind(),
    "EndpointConfig": CreatedKind("EndpointConfig", cached=("*",)),
    "Endpoint": EndpointKind(),
    "Condition": ConditionKind(),
    "Fail": FailKind(),
    "Lambda": LambdaKind(),
    "Callback": CallbackKind(),
    "ForEach": LoopKind(),
}
"""Which members make up the cache's key: developer guide, "Caching pipeline steps"."""


def properties(run: Run, record: Document) -> Document:
    """What other steps read of a step. Raises Unresolved when it has not succeeded, or its resource is gone."""
    if record["StepStatus"] != "Succeeded":
        raise Unresolved(f"the step {record['StepName']} has not succeeded")
    try:
        return KINDS[record["_type"]].properties(run, record)
    except AwsError as error:
        raise Unresolved(f"the properties of step {record['StepName']} cannot be read: {error.message}") from None
