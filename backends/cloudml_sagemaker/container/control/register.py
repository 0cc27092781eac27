"""Register: the model and the code that serves it become one archive, and a version of the model package group."""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from cloudml.runtime.verification import sample_of
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, archive, decisions, models, registration
from cloudml_sagemaker.container.control.aws import client, is_missing, put_once, told
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.container.sources import Stored

SAMPLE_ROWS = 20
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between two looks for a version that was just made."""


def register(action: Document, context: Context) -> Made:
    """Add a version, or find the one that the same artifact with the same evidence made before.

    Raises Refused: the metrics are none, or SageMaker does not take the package.
    """
    model = context.sources.one(action["model"])
    metrics = evidence(action, context)
    origin = registration.origin(model.digest, metrics, action.get("predictor"), action.get("code", ""))
    name, group = action["model_name"], action["group"]
    models.group_arn(group, name)
    for known in models.versions(name, group):
        if known.metadata.get(registration.ORIGIN) == origin:
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
    prefix = f"{_prefix(action, context)}/models/{action['model_name']}/{digest}"
    data = f"{prefix}/model.tar.gz"
    kms = action.get("kms")
    put_once(data, packed, kms)
    facts = {
        **model.document(), "metrics": metrics, "sample": sample, "run": context.run, "origin": origin,
        "archive": digest, **_lineage(action, model), "predictor": action.get("predictor"),
        "predictor_code": action.get("code", ""), "summary": action.get("summary", ""), "tags": action.get("tags", {}),
        "approval": action.get("approval", decisions.APPROVED),
    }  # fmt: skip
    document = f"{prefix}/{origin}/{registration.record_name(facts)}"
    put_once(document, json.dumps(facts, sort_keys=True).encode(), kms)
    statistics = f"{prefix}/{origin}/metrics.json"
    put_once(statistics, json.dumps(metrics, sort_keys=True).encode(), kms)
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    types = {"SupportedContentTypes": registration.TYPES, "SupportedResponseMIMETypes": registration.TYPES}
    wanted = registration.request(
        action["group"], {"Image": action["image"], "ModelDataUrl": data, "Environment": environment}, types,
        statistics, decisions.STATUS[facts["approval"]], registration.metadata(facts, document), facts["summary"],
    )  # fmt: skip
    return models.Package(action["model_name"], action["group"], _create(wanted))


def _prefix(action: Document, context: Context) -> str:
    return str(action.get("prefix") or context.step["prefix"]).rstrip("/")


def _lineage(action: Document, model: Stored) -> Document:
    """What the model was made of: the step, its code, the data and the arguments it was given."""
    source = action.get("source") or {}
    maker = source.get("step") or action["model"].get("member") or action["model"].get("input", "")
    return {"step": str(maker), "code": source.get("code", ""), "data": {}, "parameters": {}, **model.lineage}


def _sample(action: Document, context: Context) -> list[dict[str, Any]]:
    if action.get("sample") is None:
        return []
    from cloudml.runtime.codecs import read_value

    found = context.sources.one(action["sample"])
    return sample_of(read_value(str(found.path), "polars.DataFrame", found.format), SAMPLE_ROWS)


def _create(wanted: dict[str, Any]) -> dict[str, Any]:
    """The package as AWS describes it. Raises Refused: SageMaker does not take it."""
    sagemaker = client("sagemaker")
    for after in ("", uuid.uuid4().hex):
        try:
            made = sagemaker.create_model_package(**wanted, ClientToken=registration.token(wanted, after))
        except Exception as error:
            raise Refused(f"the version was not registered: {told(error)}") from error
        found = _described(sagemaker, made["ModelPackageArn"])
        if found is not None:
            return found
        # AWS knows the token, but the version that it made was deleted since; it is wanted anew.
    raise Refused(f"the version {made['ModelPackageArn']} was registered, and is gone again")


def _described(sagemaker: Any, arn: str) -> dict[str, Any] | None:
    """A package that was just made, which AWS may show only after a while; None when it does not."""
    for pause in (*PAUSES, None):
        try:
            found: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
        except Exception as error:
            if not is_missing(error):
                raise
        else:
            return found
        if pause is not None:
            time.sleep(pause)
    return None
