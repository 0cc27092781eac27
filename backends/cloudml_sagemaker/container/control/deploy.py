"""Deploy: a version into service on its endpoint, and the alias only when it is known to answer."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from typing import Any

from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, models
from cloudml_sagemaker.container.control.aws import client, code_of, is_missing, told
from cloudml_sagemaker.container.failure import Refused

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between two looks at the endpoint; the last again and again."""
_SETTLED = frozenset({"InService", "Failed", "UpdateRollbackFailed", "OutOfService"})
FEATURES = "CLOUDML_FEATURES"
"""The variable by which `inference.py` learns the order of the features."""
_NAME = 63
"""Characters of the names of models, configurations and endpoints (API reference)."""


def deploy(action: Document, context: Context) -> Made:
    """Bring the version into service; when the endpoint serves it already there is nothing to do but to say so.

    Raises Refused: it is not approved, the endpoint did not take it, or went back to what it served before.
    """
    package = models.find(context.values.json(action["version"]))
    label = f"{package.model}/{package.version}"
    if package.approval != "approved":
        raise Refused(
            f"{label} is {package.approval}; only an approved version is deployed. "
            f"Run: cloudml approve {label} --reason …, then run the pipeline again"
        )
    endpoint = action["endpoint"]
    config = _configuration(endpoint, package)
    limit = action.get("timeout") or endpoint.get("provision_timeout") or 1800.0
    _bring(endpoint, config, time.monotonic() + limit, limit)
    found = client("sagemaker").describe_endpoint(EndpointName=endpoint["EndpointName"])
    if action.get("alias"):
        models.promote(package, action["alias"])
    sys.stdout.write(f"cloudml: {endpoint['name']} serves {label}\n")
    return {"endpoint": {
        "name": endpoint["name"],
        "url": f"{client('sagemaker-runtime').meta.endpoint_url}/endpoints/{endpoint['EndpointName']}/invocations",
        "deployment": config, **package.reference(),
        "EndpointName": endpoint["EndpointName"], "arn": found["EndpointArn"],
    }}  # fmt: skip


def _configuration(endpoint: Document, package: models.Package) -> str:
    """Make the model and the configuration of this version, unless they are there; the configuration's name.

    Both are named by what they hold: a repeated deploy finds them, and another content never has the same name.
    """
    model: dict[str, Any] = {"ExecutionRoleArn": endpoint["role"], "PrimaryContainer": _container(endpoint, package)}
    if endpoint.get("subnets"):
        model["VpcConfig"] = {"Subnets": endpoint["subnets"], "SecurityGroupIds": endpoint["security_groups"]}
    tags = [{"Key": key, "Value": value} for key, value in _tags(endpoint).items()]
    model_name = named(endpoint["EndpointName"], package.version, model)
    sagemaker = client("sagemaker")
    _make(sagemaker.describe_model, sagemaker.create_model, "ModelName", model_name, {**model, "Tags": tags})
    variant = {
        "VariantName": endpoint.get("VariantName", "main"),
        "ModelName": model_name,
        "InstanceType": endpoint["InstanceType"],
        "InitialInstanceCount": endpoint.get("InitialInstanceCount", 1),
    }
    config: dict[str, Any] = {"ProductionVariants": [variant]}
    if endpoint.get("kms"):
        config["KmsKeyId"] = endpoint["kms"]
    config_name = named(endpoint["EndpointName"], package.version, config)
    describe, create = sagemaker.describe_endpoint_config, sagemaker.create_endpoint_config
    _make(describe, create, "EndpointConfigName", config_name, {**config, "Tags": tags})
    return config_name


def _container(endpoint: Document, package: models.Package) -> dict[str, Any]:
    """The package as it was registered; in another image when the endpoint asks for one (a machine with GPUs)."""
    environment = {**endpoint.get("environment", {}), "CLOUDML_MODEL_VERSION": str(package.version)}
    if endpoint.get("features"):
        environment[FEATURES] = json.dumps(endpoint["features"])
    if endpoint.get("request_timeout"):
        environment["SAGEMAKER_MODEL_SERVER_TIMEOUT"] = str(round(endpoint["request_timeout"]))
    registered = package.container
    if endpoint.get("image", registered["Image"]) == registered["Image"]:
        return {"ModelPackageName": package.arn, "Environment": environment}
    own = {**registered.get("Environment", {}), **environment}
    return {"Image": endpoint["image"], "ModelDataUrl": package.data, "Environment": own}


def named(endpoint: str, version: int, content: Any) -> str:
    """A name in AWS's alphabet and length: endpoint, version, and eight digits of the content's hash."""
    mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    tail = f"-{version}-{mark}"
    return re.sub("[^A-Za-z0-9-]", "-", endpoint)[: _NAME - len(tail)].strip("-") + tail


def _tags(endpoint: Document) -> dict[str, str]:
    found = endpoint.get("tags") or {}
    return {one["Key"]: one["Value"] for one in found} if isinstance(found, list) else dict(found)


def _make(describe: Any, create: Any, key: str, name: str, request: dict[str, Any]) -> None:
    try:
        describe(**{key: name})
    except Exception as error:
        if not is_missing(error):
            raise
    else:
        return
    try:
        create(**{key: name, **request})
    except Exception as error:
        if "already existing" not in told(error) and "already exist" not in told(error):  # an answer that was lost
            raise Refused(f"{name} cannot be made: {told(error)}") from error


def _bring(endpoint: Document, config: str, deadline: float, limit: float) -> None:
    """Create or update the endpoint and wait. Raises Refused with the reason of whatever did not happen."""
    name = endpoint["EndpointName"]
    status = _settled(name, deadline, limit)
    if status is not None and status["EndpointStatus"] == "Failed":  # DeleteEndpoint is all that AWS allows then
        client("sagemaker").delete_endpoint(EndpointName=name)
        _gone(name, deadline, limit)
        status = None
    if status is None:
        _ask("create_endpoint", EndpointName=name, EndpointConfigName=config,
             Tags=[{"Key": key, "Value": value} for key, value in _tags(endpoint).items()])  # fmt: skip
    elif status["EndpointConfigName"] == config and status["EndpointStatus"] == "InService":
        return
    else:
        more = {"DeploymentConfig": endpoint["DeploymentConfig"]} if endpoint.get("DeploymentConfig") else {}
        _ask("update_endpoint", EndpointName=name, EndpointConfigName=config, **more)
    after = _settled(name, deadline, limit)
    if after is None or after["EndpointStatus"] != "InService":
        told_reason = "it is gone" if after is None else f"{after['EndpointStatus']}: {after.get('FailureReason', '')}"
        raise Refused(f"the endpoint {name} did not come into service: {told_reason}")
    if after["EndpointConfigName"] != config:  # "InService" is also how an update ends that was rolled back
        reason = after.get("FailureReason") or "SageMaker gives no reason"
        raise Refused(f"the endpoint {name} went back to {after['EndpointConfigName']}: {reason}")


def _ask(operation: str, **request: Any) -> None:
    """A call that may come a moment too early: a configuration that was just made is not seen everywhere at once."""
    for pause in (*PAUSES[:4], None):
        try:
            getattr(client("sagemaker"), operation)(**request)
        except Exception as error:
            if pause is None or not ("Could not find" in told(error) or code_of(error) == "ThrottlingException"):
                raise Refused(f"{operation} of {request['EndpointName']}: {told(error)}") from error
            time.sleep(pause)
        else:
            return


def _look(name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client("sagemaker").describe_endpoint(EndpointName=name)
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return found


def _settled(name: str, deadline: float, limit: float) -> dict[str, Any] | None:
    """The endpoint when nothing is changing about it; None when there is none."""
    count = 0
    while True:
        found = _look(name)
        if found is None or found["EndpointStatus"] in _SETTLED:
            return found
        _pause(name, count, deadline, limit)
        count += 1


def _gone(name: str, deadline: float, limit: float) -> None:
    count = 0
    while _look(name) is not None:
        _pause(name, count, deadline, limit)
        count += 1


def _pause(name: str, count: int, deadline: float, limit: float) -> None:
    if time.monotonic() >= deadline:
        raise Refused(f"the endpoint {name} is still changing after {limit:g} s; it is not waited for any longer")
    time.sleep(PAUSES[min(count, len(PAUSES) - 1)])
