"""The neutral model: frozen nodes that the author's code becomes and that everything else reads."""

from cloudml.spec.checks import (
    ERROR_CLASSES,
    dimension_problem,
    is_finite,
    message_problem,
    parameter_problem,
    parameter_value_problem,
    retry_name_problem,
    schedule_problem,
)
from cloudml.spec.compute import (
    Cache,
    Distribution,
    EnvironmentVariable,
    ErrorClass,
    FunctionRef,
    Resources,
    Retry,
    Spot,
)
from cloudml.spec.cron import cron_problem, timezone_problem
from cloudml.spec.document import from_dict, from_yaml, json_schema, to_dict, to_yaml
from cloudml.spec.endpoint import Capture, Endpoint, Guard, Rollout, RolloutStep, Scaling, Shadow
from cloudml.spec.monitor import Monitor, Threshold
from cloudml.spec.node import SPEC_VERSION, NativeOption, Node, Tag
from cloudml.spec.pipeline import Pipeline, walk
from cloudml.spec.schedule import Alert, Cron, Every, Retrain, Schedule
from cloudml.spec.steps import (
    ApproveStep,
    BaseStep,
    BatchPredictionStep,
    ConditionStep,
    DeployStep,
    Dimension,
    FailStep,
    FinallyStep,
    GroupStep,
    JobStep,
    MapStep,
    MonitorStep,
    NotifyStep,
    ProcessingStep,
    Pruning,
    RegisterStep,
    Step,
    TrainingStep,
    TuningStep,
    VerifyStep,
    arguments,
    children,
    outputs,
)
from cloudml.spec.values import (
    AllOf,
    AnyOf,
    Argument,
    Arithmetic,
    ChampionRef,
    Comparison,
    Condition,
    ItemRef,
    LiteralValue,
    ModelRef,
    Not,
    OutputRef,
    Parameter,
    ParameterRef,
    Port,
    RunRef,
    SecretRef,
    Value,
    references,
)

__all__ = [name for name in dir() if not name.startswith("_")]
