"""Register: the model and the code that serves it become one archive, and a version of the model package group."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from cloudml.runtime.verification import sample_of
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, archive, models
from cloudml_sagemaker.container.control.aws import client, put_once, told
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.sources import Stored

SAMPLE_ROWS = 20
METADATA = 50
"""Entries of CustomerMetadataProperties (API reference); values have 256 characters."""
_APPROVAL = {"approved": "Approved", "pending": "PendingManualApproval"}
_TYPES = ["application/json", "application/jsonlines", "text/csv"]


def register(action: Document, context: Context) -> Made:
    """Add a version, or find the one that the same artifact with the same evidence made before.

    Raises Refused: the metrics are none, or SageMaker does not take the package.
    """
    model = context.sources.one(action["model"])
    metrics = evidence(action, context)
    identity = {
        "digest": model.digest, "metrics": metrics, "predictor": action.get("predictor"),
        "predictor_code": action.get("code", ""),
    }  # fmt: skip
    origin = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    name, group = action["model_name"], action["group"]
    models.group_arn(group, name)
    for known in models.versions(name, group):
        if known.metadata.get("cloudml:origin") == origin:
            sys.stdout.write(f"cloudml: {name}/{known.version} exists already\n")
            return {"version": known.reference()}
    return {"version": _add(action, context, model, metrics, origin).reference()}


def evidence(action: Document, context: Context) -> dict[str, float]:
    """The metrics by name: all numbers of an output, or a single number. Raises Refused: something else."""
    found: dict[str, float] = {}
    for one in action.get("metrics", ()):
        value = context.values.json(one["value"])
        if isinstance(value, dict):
            found.update({name: float(number) for name, number in value.items() if isinstance(number, (int, float))})
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[one["name"]] = float(value)
        else:
            raise Refused(f"{value!r} is not a metric")
    return found


def _add(action: Document, context: Context, model: Stored, metrics: dict[str, float], origin: str) -> models.Package:
    sample = _sample(action, context)
    served = {
        "filename": model.filename, "predictor": action.get("predictor"), "name": action["model_name"],
        "sample": sample,
    }  # fmt: skip
    packed = context.folder("register") / "model.tar.gz"
    archive.pack(packed, model.path, served, context.library, context.project)
    digest = archive.digest(packed)
    prefix = f"{_prefix(action, context)}/models/{action['model_name']}"
    data = f"{prefix}/{digest}/model.tar.gz"
    put_once(data, packed)
    facts = {**model.document(), "metrics": metrics, "sample": sample, "run": context.run, "origin": origin,
             "step": _maker(action), "predictor": action.get("predictor"), "summary": action.get("summary", ""),
             "code": action.get("code", ""), "tags": action.get("tags", {})}  # fmt: skip
    document = f"{prefix}/{digest}/{origin}/{_name_of(facts)}.json"
    put_once(document, json.dumps(facts, sort_keys=True).encode())
    statistics = f"{prefix}/{digest}/{origin}/metrics.json"
    put_once(statistics, json.dumps(metrics, sort_keys=True).encode())
    arn = _create(action, data, statistics, _metadata(facts, document), origin)
    package = client("sagemaker").describe_model_package(ModelPackageName=arn)
    return models.Package(action["model_name"], action["group"], package)


def _prefix(action: Document, context: Context) -> str:
    return str(action.get("prefix") or context.step["prefix"]).rstrip("/")


def _name_of(facts: dict[str, Any]) -> str:
    return "registration-" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _maker(action: Document) -> str:
    source = action.get("source") or {}
    return str(source.get("step") or action["model"].get("member") or action["model"].get("input", ""))


def _sample(action: Document, context: Context) -> list[dict[str, Any]]:
    if action.get("sample") is None:
        return []
    from cloudml.runtime.codecs import read_value

    found = context.sources.one(action["sample"])
    return sample_of(read_value(str(found.path), "polars.DataFrame", found.format), SAMPLE_ROWS)


def _metadata(facts: dict[str, Any], document: str) -> dict[str, str]:
    own = {f"cloudml:{name}": str(facts[name]) for name in ("digest", "origin", "run", "step", "format", "filename")}
    own |= {models.DOCUMENT: document, "cloudml:predictor": str(facts["predictor"] or "")}
    own |= {f"cloudml:tag:{name}": value for name, value in facts["tags"].items()}
    numbers = {models.METRIC + name: repr(value) for name, value in facts["metrics"].items()}
    together = {name: value for name, value in {**own, **numbers}.items() if value}
    return {name: value[:256] for name, value in list(together.items())[:METADATA]}


def _create(action: Document, data: str, statistics: str, metadata: dict[str, str], origin: str) -> str:
    container = {
        "Image": action["image"],
        "ModelDataUrl": data,
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }
    request: dict[str, Any] = {
        "ModelPackageGroupName": action["group"],
        "InferenceSpecification": {
            "Containers": [container], "SupportedContentTypes": _TYPES, "SupportedResponseMIMETypes": _TYPES,
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": statistics}}},
        "ModelApprovalStatus": _APPROVAL[action.get("approval", "approved")],
        "CustomerMetadataProperties": metadata,
        # The token is of this very request: an answer that is lost and asked for again makes one version.
        "ClientToken": hashlib.sha256(f"{origin}{sorted(metadata.items())}".encode()).hexdigest()[:36],
    }  # fmt: skip
    if action.get("summary"):
        request["ModelPackageDescription"] = action["summary"][:1024]
    try:
        return str(client("sagemaker").create_model_package(**request)["ModelPackageArn"])
    except Exception as error:
        raise Refused(f"the version was not registered: {told(error)}") from error
