"""An endpoint as DescribeEndpoint shows it, from its fleets and its deployment (pure)."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.hosting import configs, fleets, stages
from cloudml_sagemaker.mock.hosting.containers import definitions

_STATUS = {"launch": "Creating", "activate": "ActivatingTraffic", "bake": "Baking", "terminate": "Deleting"}
"""VariantStatus by phase (developer guide, "Endpoint deployment state change")."""


def live(endpoint: Document) -> Document:
    """The fleet that is in service (while there is a deployment: the old one)."""
    found: Document = endpoint["_fleets"][endpoint["_live"]]
    return found


def coming(endpoint: Document) -> Document | None:
    """The fleet that a deployment brings."""
    deployment = endpoint.get("_deployment")
    return endpoint["_fleets"].get(deployment["New"]) if deployment else None


def refresh(endpoint: Document, now: float) -> None:
    """Write the shown members anew."""
    fleet = live(endpoint)
    deployment = endpoint.get("_deployment")
    endpoint["EndpointConfigName"] = fleet["Config"]["EndpointConfigName"]
    endpoint["ProductionVariants"] = [_summary(endpoint, fleet, name, old=True) for name in fleets.production(fleet)]
    _put(
        endpoint,
        "ShadowProductionVariants",
        [_summary(endpoint, fleet, name, old=True) for name in fleets.shadows(fleet)],
    )
    _put(endpoint, "DataCaptureConfig", _capture(endpoint))
    for member in ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig"):
        _put(endpoint, member, fleet["Config"].get(member))
    _put(endpoint, "PendingDeploymentSummary", _pending(endpoint) if deployment else None)
    endpoint["LastModifiedTime"] = now


def _put(endpoint: Document, member: str, value: Any) -> None:
    if value:
        endpoint[member] = value
    else:
        endpoint.pop(member, None)


def _pending(endpoint: Document) -> Document | None:
    fleet = coming(endpoint)
    if fleet is None:
        return None
    rows = {row["VariantName"]: row for row in configs.variants(fleet["Config"])}

    def shown(name: str) -> Document:
        summary = _summary(endpoint, fleet, name, old=False)
        return {**summary, **({"InstanceType": rows[name]["InstanceType"]} if "InstanceType" in rows[name] else {})}

    pending: Document = {
        "EndpointConfigName": fleet["Config"]["EndpointConfigName"],
        "StartTime": endpoint["_deployment"]["Started"],
        "ProductionVariants": [shown(name) for name in fleets.production(fleet)],
    }
    _put(pending, "ShadowProductionVariants", [shown(name) for name in fleets.shadows(fleet)])
    return pending


def _summary(endpoint: Document, fleet: Document, name: str, *, old: bool) -> Document:
    weight, count = fleet["Weights"][name], fleet["Counts"][name]
    desired = endpoint.get("_desired", {}).get(name, {}) if old else {}
    summary: Document = {
        "VariantName": name,
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint["CreationTime"]}
            for image in _images(fleet["Models"][name])
        ],
        "CurrentWeight": weight,
        "DesiredWeight": desired.get("Weight", weight),
    }
    serverless = fleet["Serverless"].get(name)
    if serverless:
        wanted = {**serverless, **desired.get("Serverless", {})}
        summary |= {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": wanted}
    else:
        wanted_count = desired.get("Count", count)
        current = _running(endpoint, name, count, old=old)
        summary |= {"CurrentInstanceCount": current, "DesiredInstanceCount": wanted_count}
    status = _status(endpoint, old=old)
    return {**summary, **({"VariantStatus": [status]} if status else {})}


def _images(model: Document) -> list[str]:
    return [definition["Image"] for _, definition in definitions(model)]


def _running(endpoint: Document, name: str, count: int, *, old: bool) -> int:
    """Instances that are up now."""
    if endpoint["EndpointStatus"] == "Creating" and old:
        return 0
    deployment = endpoint.get("_deployment")
    stage = stages.current(deployment) if deployment else None
    if stage is None or deployment is None:
        return count
    if old:
        return int(stage["Old"].get(name, count))
    up = 0 if stage["Phase"] == "launch" and deployment["At"] == 0 else stage["New"].get(name, 0)
    return int(up)


def _status(endpoint: Document, *, old: bool) -> Document | None:
    deployment = endpoint.get("_deployment")
    if old or not deployment:
        if old and endpoint["EndpointStatus"] == "Creating":
            return {"Status": "Creating", "StartTime": endpoint["CreationTime"]}
        return None
    stage = stages.current(deployment)
    if stage is None or stage["Phase"] not in _STATUS:
        return None
    return {"Status": _STATUS[stage["Phase"]], "StatusMessage": stage["Message"], "StartTime": deployment["Since"]}


def _capture(endpoint: Document) -> Document | None:
    settings = capture_settings(endpoint)
    if not settings:
        return None
    on = bool(settings.get("EnableCapture", True))
    return {
        "EnableCapture": on,
        "CaptureStatus": "Started" if on else "Stopped",
        "CurrentSamplingPercentage": settings["InitialSamplingPercentage"],
        "DestinationS3Uri": settings["DestinationS3Uri"],
        "KmsKeyId": settings.get("KmsKeyId", ""),
    }


def capture_settings(endpoint: Document) -> Document | None:
    """The DataCaptureConfig in force: the configuration's, or one that an update has retained."""
    return capture_of(live(endpoint))


def capture_of(fleet: Document) -> Document | None:
    """The DataCaptureConfig of one fleet."""
    found: Document | None = fleet.get("Capture", fleet["Config"].get("DataCaptureConfig"))
    return found
