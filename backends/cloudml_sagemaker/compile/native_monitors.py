"""`engine="native"`: a monitor as SageMaker Model Monitor has it, for accounts that may still use it.

Of the statistics it knows three: the distance of distribution functions of numbers (`ks`, its method Simple), the
largest difference of a category's share (`linf`), and nulls (`null_share`, its completeness). Sources: developer guide,
"Schema for Constraints" and "The cron expression for monitoring schedule"; the service model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import digest_of
from cloudml_sagemaker.compile import control
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.policies import LONGEST_RUN, merged, network
from cloudml_sagemaker.service.model import input_shape
from cloudml_sagemaker.service.shapes import problems

REPOSITORY = "sagemaker-model-monitor-analyzer"
_ACCOUNTS = {
    "ap-east-1": "001633400207", "ap-northeast-1": "574779866223",
    "ap-northeast-2": "709848358524", "ap-south-1": "126357580389", "ap-southeast-1": "245545462676",
    "ap-southeast-2": "563025443158", "ca-central-1": "536280801234", "cn-north-1": "453000072557",
    "cn-northwest-1": "453252182341", "eu-central-1": "048819808253", "eu-north-1": "895015795356",
    "eu-west-1": "468650794304", "eu-west-2": "749857270468", "eu-west-3": "680080141114",
    "me-south-1": "607024016150", "sa-east-1": "539772159869", "us-east-1": "156813124566",
    "us-east-2": "777275614652", "us-west-1": "890145073186", "us-west-2": "159807026194",
}  # fmt: skip
"""AWS's accounts with the analyzer's image, by region (AWS's SDK, image_uri_config/model-monitor.json)."""

_LIMITS = {"ks": "comparison_threshold", "linf": "categorical_comparison_threshold", "null_share": "completeness"}
_HOUR, _HOURS = 3600, 24
_LONGEST = 86_400
"""Seconds of one analysis (MonitoringStoppingCondition)."""
_CRON = re.compile(r"0 (?:(\*)|(\d{1,2})|(?:(\d{1,2})|\*)/(\d{1,2})) \* \* \*")
_PATHS = {
    "input": "/opt/ml/processing/input/endpoint",
    "output": "/opt/ml/processing/output",
}


def constraints(monitor: spec.Monitor) -> Document:
    """The limits, by the words of Model Monitor's constraints, for whoever writes constraints.json."""
    return {_LIMITS[one.statistic]: one.limit for one in monitor.thresholds if one.statistic in _LIMITS}


def document(context: Context, step: spec.MonitorStep, monitor: spec.Monitor, folder: str) -> Document:
    """The resource: `definition`, a CreateDataQualityJobDefinition, and the schedule that runs it.

    The definition's name is of its content, because one cannot be changed. Findings: CML349.
    """
    _check(context, monitor)
    endpoint = _endpoint(context, step)
    name = context.resource_name(f"{context.pipeline.name}/monitor/{monitor.name}")
    labels = {**dict(context.place.tags), **control.identity(context), "cloudml:monitor": monitor.name}
    definition = merged(_definition(context, monitor, endpoint, folder), monitor.native)
    _check_shape(context, monitor, definition)
    digest = digest_of(definition).removeprefix("sha256:")[:8]
    return {
        "MonitoringScheduleName": name,
        "definition": {"JobDefinitionName": f"{name[:54].rstrip('-')}-{digest}", **definition},
        "ScheduleExpression": _expression(context, monitor),
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(labels.items())],
    }


def _endpoint(context: Context, step: spec.MonitorStep) -> str:
    source = context.position(step.endpoint.step).step if isinstance(step.endpoint, spec.OutputRef) else None
    if isinstance(source, spec.DeployStep):
        return context.resource_name(source.endpoint)
    hint = "give it the output of a deploy step"
    _note(context, Diagnostic("CML349", f"step {step.name}", "a native monitor is made for one endpoint", hint))
    return "unknown"


def _definition(context: Context, monitor: spec.Monitor, endpoint: str, folder: str) -> Document:
    place = context.place
    hours = max(1, min(_HOURS, round(monitor.window / _HOUR)))
    source = {"EndpointName": endpoint, "LocalPath": _PATHS["input"], "S3InputMode": "File"}
    output = {"S3Uri": f"{folder}/native/reports", "LocalPath": _PATHS["output"], "S3UploadMode": "EndOfJob"}
    cluster: Document = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}
    found: Document = {
        "DataQualityAppSpecification": {"ImageUri": _image(context, monitor)},
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": f"{folder}/native/constraints.json"},
            "StatisticsResource": {"S3Uri": f"{folder}/native/statistics.json"},
        },
        "DataQualityJobInput": {
            "EndpointInput": {**source, "StartTimeOffset": f"-PT{hours}H", "EndTimeOffset": "-PT0H"}
        },
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
        "JobResources": {"ClusterConfig": cluster},
        "RoleArn": place.role,
        "StoppingCondition": {"MaxRuntimeInSeconds": min(_LONGEST, LONGEST_RUN, _HOUR * 2)},
    }
    if place.kms:
        cluster["VolumeKmsKeyId"] = place.kms
        found["DataQualityJobOutputConfig"]["KmsKeyId"] = place.kms
    if vpc := network(place):
        found["NetworkConfig"] = {"VpcConfig": vpc}
    return found


def _image(context: Context, monitor: spec.Monitor) -> str:
    region = context.place.region
    account = _ACCOUNTS.get(region)
    given = any(
        "ImageUri" in _of(one.document, "DataQualityAppSpecification")
        for one in monitor.native
        if one.backend == "sagemaker"
    )
    if account is None:
        if not given:
            hint = 'native={"sagemaker": {"DataQualityAppSpecification": {"ImageUri": "…"}}}'
            _refuse(context, monitor, f"the analyzer's image is not known for region {region}", hint)
        return "unknown"
    suffix = ".cn" if context.place.partition == "aws-cn" else ""
    return f"{account}.dkr.ecr.{region}.amazonaws.com{suffix}/{REPOSITORY}"


def _of(document: Any, key: str) -> Any:
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _expression(context: Context, monitor: spec.Monitor) -> str:
    """Every hour, or from an hour of the day every so many hours, in UTC: nothing else is taken."""
    found = _expression_of(monitor.schedule)
    if found is None:
        message = "Model Monitor runs every full hour, or every so many hours of a day, in UTC; this schedule does not"
        _refuse(context, monitor, message, "write ml.every(hours=…) that divides a day, or `0 6 * * *`")
    return found or "cron(0 * ? * * *)"


def _expression_of(schedule: spec.Schedule) -> str | None:
    if isinstance(schedule, spec.Every):
        hours, rest = divmod(schedule.interval, _HOUR)
        if rest or hours < 1 or _HOURS % hours:
            return None
        return "cron(0 * ? * * *)" if hours == 1 else f"cron(0 0/{int(hours)} ? * * *)"
    found = _CRON.fullmatch(" ".join(schedule.expression.split()))
    if found is None:
        return None
    if found[1]:
        return "cron(0 * ? * * *)"
    return _of_hours(found[2], found[3] or "0", found[4]) if schedule.timezone == "UTC" else None


def _of_hours(hour: str | None, begin: str, step: str) -> str | None:
    """One hour of the day, or from one on every so many."""
    if hour:
        return f"cron(0 {int(hour)} ? * * *)" if int(hour) < _HOURS else None
    first, rise = int(begin), int(step)
    # Cron begins anew each day, Model Monitor goes on counting: the two agree when the hours fill the day.
    agree = rise > 0 and _HOURS % rise == 0 and first < rise
    return f"cron(0 {first}/{rise} ? * * *)" if agree else None


def _check(context: Context, monitor: spec.Monitor) -> None:
    for problem, hint in (found for rule in _RULES if (found := rule(monitor)) is not None):
        _refuse(context, monitor, problem, hint)


def _statistics(monitor: spec.Monitor) -> tuple[str, str] | None:
    wrong = [one.statistic for one in monitor.thresholds if one.statistic not in _LIMITS]
    if not wrong:
        return None
    return f"Model Monitor has no statistic {', '.join(wrong)}; it has {', '.join(_LIMITS)}", "take engine='portable'"


def _directions(monitor: spec.Monitor) -> tuple[str, str] | None:
    wrong = any(one.direction == "below" or one.field is not None for one in monitor.thresholds)
    return ("its limits are upper ones, for all features", "write above=, without field=") if wrong else None


def _samples(monitor: spec.Monitor) -> tuple[str, str] | None:
    usual = spec.Threshold.model_fields["min_samples"].default
    wrong = any(one.min_samples != usual for one in monitor.thresholds)
    return ("it judges however few rows there are", "leave min_samples out") if wrong else None


def _repeated(monitor: spec.Monitor) -> tuple[str, str] | None:
    names = [one.statistic for one in monitor.thresholds]
    return ("it has one limit a statistic", "leave the others out") if len(set(names)) != len(names) else None


def _window(monitor: spec.Monitor) -> tuple[str, str] | None:
    whole = monitor.window % _HOUR == 0 and _HOUR <= monitor.window <= _HOURS * _HOUR
    return None if whole else (f"its window is {monitor.window:g} s", "whole hours, one day at most")


def _reactions(monitor: spec.Monitor) -> tuple[str, str] | None:
    if not (monitor.alerts or monitor.retrain or monitor.rollback):
        return None
    words = "Model Monitor writes a report and metrics; alerts, retrain and rollback are the portable engine's"
    return words, "take engine='portable', or set an alarm on the metrics yourself"


_RULES: tuple[Callable[[spec.Monitor], tuple[str, str] | None], ...] = (
    _statistics, _directions, _samples, _repeated, _window, _reactions,
)  # fmt: skip


def _check_shape(context: Context, monitor: spec.Monitor, definition: Document) -> None:
    request = {"JobDefinitionName": "x", **definition}
    for problem in problems(input_shape("CreateDataQualityJobDefinition"), request):
        _note(context, Diagnostic("CML338", f"monitor {monitor.name}", problem, "see the native option"))


def _refuse(context: Context, monitor: spec.Monitor, message: str, hint: str) -> None:
    _note(context, Diagnostic("CML349", f"monitor {monitor.name}", message, hint))


def _note(context: Context, finding: Diagnostic) -> None:
    """Once: the step and the resource are made of the same document."""
    if finding not in context.findings:
        context.findings.append(finding)
