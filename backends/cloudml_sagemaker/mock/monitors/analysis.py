"""From a monitoring job definition, of its own or inside a schedule, to the processing job of one execution.

Environment and paths: developer guide, "Container contract inputs"; names that the guide leaves open are those that
AWS's example notebooks show of DescribeProcessingJob (`model-monitoring-...`, `endpoint_input_1`, `metric_time`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.monitors import times
from cloudml_sagemaker.mock.monitors.definitions import KINDS, MERGED, Kind

INPUT_LIMIT = 10
"""Inputs of a processing job (service model)."""

_BASELINE = "/opt/ml/processing/baseline"
_JOB_NAMES = {
    "DataQuality": "model-monitoring",
    "ModelQuality": "model-quality-monitoring",
    "ModelBias": "model-bias-monitoring",
    "ModelExplainability": "model-explainability-monitoring",
}
_ATTRIBUTES = {
    "FeaturesAttribute": "features_attribute",
    "InferenceAttribute": "inference_attribute",
    "ProbabilityAttribute": "probability_attribute",
    "ProbabilityThresholdAttribute": "probability_threshold_attribute",
    "ExcludeFeaturesAttribute": "exclude_features_attribute",
}
_SCRIPTS = {
    "RecordPreprocessorSourceUri": ("record_preprocessor_script", "/opt/ml/processing/code/preprocessing"),
    "PostAnalyticsProcessorSourceUri": ("post_analytics_processor_script", "/opt/ml/processing/code/postprocessing"),
}


@dataclass(frozen=True)
class Analysis:
    """What a definition says, the same for all kinds."""

    type: str
    app: Document
    source: Document
    """The EndpointInput or BatchTransformInput."""
    is_endpoint: bool
    output: Document
    """S3Uri, LocalPath, S3UploadMode."""
    kms_key: str | None
    baseline: Document
    cluster: Document
    role: str
    seconds: int
    network: Document | None
    environment: dict[str, str]
    ground_truth: str | None = None


@dataclass
class Data:
    """What an execution looks at: inputs for the processing job, and how they are written."""

    inputs: list[Document] = field(default_factory=list)
    format: str = ""
    prefix: str = ""
    """Where the endpoint captures to."""


def resolve(world: World, scope: Scope, config: Document) -> Analysis:
    """The analysis that a schedule's MonitoringScheduleConfig runs. Raises AwsError when its definition is gone."""
    inline = config.get("MonitoringJobDefinition")
    if inline is not None:
        return _inline(inline, config.get("MonitoringType", "DataQuality"))
    kind = KINDS[config["MonitoringType"]]
    named = world.call(scope, f"Describe{kind.stem}", {"JobDefinitionName": config["MonitoringJobDefinitionName"]})
    return _named(named, kind)


def _inline(given: Document, type_: str) -> Analysis:
    output = given["MonitoringOutputConfig"]
    return Analysis(
        type=type_,
        app=given["MonitoringAppSpecification"],
        source=next(iter(given["MonitoringInputs"][0].values())),
        is_endpoint="EndpointInput" in given["MonitoringInputs"][0],
        output=output["MonitoringOutputs"][0]["S3Output"],
        kms_key=output.get("KmsKeyId"),
        baseline=given.get("BaselineConfig") or {},
        cluster=given["MonitoringResources"]["ClusterConfig"],
        role=given["RoleArn"],
        seconds=(given.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 86_400),
        network=given.get("NetworkConfig"),
        environment=dict(given.get("Environment") or {}),
    )


def _named(given: Document, kind: Kind) -> Analysis:
    source, output = given[kind.member("JobInput")], given[kind.member("JobOutputConfig")]
    app = given[kind.member("AppSpecification")]
    is_endpoint = "EndpointInput" in source
    return Analysis(
        type=kind.name,
        app=app,
        source=source["EndpointInput" if is_endpoint else "BatchTransformInput"],
        is_endpoint=is_endpoint,
        output=output["MonitoringOutputs"][0]["S3Output"],
        kms_key=output.get("KmsKeyId"),
        baseline=given.get(kind.member("BaselineConfig")) or {},
        cluster=given["JobResources"]["ClusterConfig"],
        role=given["RoleArn"],
        seconds=given["StoppingCondition"]["MaxRuntimeInSeconds"],
        network=given.get("NetworkConfig"),
        environment=dict(app.get("Environment") or {}),
        ground_truth=source["GroundTruthS3Input"]["S3Uri"] if kind.name in MERGED else None,
    )


def extras(world: World, scope: Scope, analysis: Analysis) -> tuple[list[Document], dict[str, str]]:
    """The inputs beside the data (baseline, scripts, configuration) and the variables that tell where they lie."""
    inputs: list[Document] = []
    variables: dict[str, str] = {}

    def add(name: str, uri: str | None, folder: str, variable: str | None = None) -> None:
        if uri:
            inputs.append(file_input(name, uri, folder))
            if variable:
                variables[variable] = f"{folder}/{uri.rpartition('/')[2]}"

    constraints, statistics = _baseline(world, scope, analysis)
    add("constraints", constraints, f"{_BASELINE}/constraints", "baseline_constraints")
    add("baseline", statistics, f"{_BASELINE}/stats", "baseline_statistics")
    for member, (variable, folder) in _SCRIPTS.items():
        add(variable, analysis.app.get(member), folder, variable)
    add("analysis_config", analysis.app.get("ConfigUri"), "/opt/ml/processing/input/config")
    return inputs, variables


def _baseline(world: World, scope: Scope, analysis: Analysis) -> tuple[str | None, str | None]:
    """Constraints and statistics: as given, else what the baselining job wrote."""
    baseline = analysis.baseline
    constraints = (baseline.get("ConstraintsResource") or {}).get("S3Uri")
    statistics = (baseline.get("StatisticsResource") or {}).get("S3Uri")
    job = baseline.get("BaseliningJobName")
    if not job:
        return constraints, statistics
    outputs = world.call(scope, "DescribeProcessingJob", {"ProcessingJobName": job})["ProcessingOutputConfig"][
        "Outputs"
    ]
    base = outputs[0]["S3Output"]["S3Uri"].rstrip("/")
    return constraints or f"{base}/constraints.json", (
        statistics or (f"{base}/statistics.json" if analysis.type == "DataQuality" else None)
    )


def file_input(name: str, uri: str, folder: str, *, kind: str = "S3Prefix") -> Document:
    """A processing input of the job, downloaded before it starts."""
    source = {"S3Uri": uri, "LocalPath": folder, "S3DataType": kind, "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**source, "S3DataDistributionType": "FullyReplicated"}}


def request(
    analysis: Analysis,
    data: Data,
    others: tuple[list[Document], dict[str, str]],
    *,
    schedule: str,
    scheduled: float,
    window: tuple[float, float],
    token: str,
) -> Document:
    """The CreateProcessingJob of an execution."""
    inputs, variables = others
    app = {name: value for name, value in analysis.app.items() if name in _APP}
    output: Document = {
        "OutputName": "monitoring_output",
        "S3Output": {
            "S3Uri": report_uri(analysis, schedule, scheduled),
            "LocalPath": analysis.output["LocalPath"],
            "S3UploadMode": analysis.output.get("S3UploadMode", "Continuous"),
        },
    }
    made: dict[str, Any] = {
        "ProcessingJobName": f"{_JOB_NAMES[analysis.type]}-{_digits(scheduled)}-{token}",
        "AppSpecification": app,
        "ProcessingInputs": [*data.inputs, *inputs],
        "ProcessingOutputConfig": {"Outputs": [output]},
        "ProcessingResources": {"ClusterConfig": analysis.cluster},
        "RoleArn": analysis.role,
        "StoppingCondition": {"MaxRuntimeInSeconds": analysis.seconds},
        "Environment": {
            "publish_cloudwatch_metrics": "Enabled",
            **analysis.environment,
            **_environment(analysis, data, schedule, window),
            **variables,
        },
    }
    if analysis.kms_key:
        made["ProcessingOutputConfig"]["KmsKeyId"] = analysis.kms_key
    if analysis.network:
        made["NetworkConfig"] = analysis.network
    return made


_APP = frozenset({"ImageUri", "ContainerEntrypoint", "ContainerArguments"})


def _environment(analysis: Analysis, data: Data, schedule: str, window: tuple[float, float]) -> dict[str, str]:
    start, end = window
    source = analysis.source
    found = {
        "dataset_format": data.format,
        "dataset_source": source["LocalPath"],
        "output_path": analysis.output["LocalPath"],
        "start_time": times.iso(start),
        "end_time": times.iso(end),
        "metric_time": times.iso(start),
        "monitoring_input_type": "ENDPOINT_INPUT" if analysis.is_endpoint else "BATCH_TRANSFORM_INPUT",
        "sagemaker_monitoring_schedule_name": schedule,
        **{word: str(source[member]) for member, word in _ATTRIBUTES.items() if member in source},
    }
    if analysis.is_endpoint:
        found["sagemaker_endpoint_name"] = source["EndpointName"]
        found["sagemaker_endpoint_datacapture_prefix"] = data.prefix
    if analysis.type == "ModelQuality":
        found["analysis_type"] = "MODEL_QUALITY"
        found["problem_type"] = analysis.app.get("ProblemType", "")
    return found


def report_uri(analysis: Analysis, schedule: str, scheduled: float) -> str:
    """Where the reports of an execution go: below the output, by endpoint, schedule and hour."""
    parts = [analysis.output["S3Uri"].rstrip("/")]
    if analysis.is_endpoint:
        parts.append(analysis.source["EndpointName"])
    return "/".join([*parts, schedule, *times.hours(scheduled, scheduled + 1)])


def _digits(seconds: float) -> str:
    return "".join(letter for letter in times.iso(seconds)[:16] if letter.isdigit())


def capture_format(names: Iterable[str] = ("endpointInput", "endpointOutput"), *, merged: bool = False) -> str:
    """The dataset_format of captured data, or of captured data merged with ground truth."""
    word = "sagemakerMergeJson" if merged else "sagemakerCaptureJson"
    return json.dumps({word: {"captureIndexNames": list(names)}}, separators=(",", ":"))


def batch_format(given: Document) -> str:
    """The dataset_format of batch transform, from a MonitoringDatasetFormat."""
    if "Csv" in given:
        return json.dumps({"csv": {"header": bool(given["Csv"].get("Header", False))}}, separators=(",", ":"))
    if "Json" in given:
        return json.dumps({"json": {"line": bool(given["Json"].get("Line", False))}}, separators=(",", ":"))
    return '{"parquet":{}}'


def endpoint(world: World, scope: Scope, name: str) -> Document | None:
    """The endpoint's description; None when there is none."""
    try:
        return world.call(scope, "DescribeEndpoint", {"EndpointName": name})
    except AwsError:
        return None
