"""Register: the model and the code that serves it become one archive, and a version of the model package group."""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made, archive
from cloudml.jobs.control.registration import evidence, facts, home, sample, served
from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored
from cloudml_sagemaker.container.control import decisions, models, registration
from cloudml_sagemaker.container.control.aws import client, is_missing, put_once, told

_SCRIPT = {"code/inference.py": ("cloudml_sagemaker.container", "inference.py")}
"""What AWS's framework images import (SAGEMAKER_PROGRAM in SAGEMAKER_SUBMIT_DIRECTORY)."""
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
    return {"version": _add(action, context, model, metrics).reference()}


def _add(action: Document, context: Context, model: Stored, metrics: dict[str, float]) -> models.Package:
    rows = sample(action, context)
    packed = context.folder("register") / "model.tar.gz"
    archive.pack(packed, model.path, served(action, model, rows), context.library, context.project, _SCRIPT)
    digest = archive.digest(packed)
    prefix = f"{home(action, context)}/{digest}"
    data = f"{prefix}/model.tar.gz"
    kms = action.get("kms")
    put_once(data, packed, kms)
    known = {**facts(action, context, model, metrics, digest), "sample": rows}
    folder = f"{prefix}/{known['origin']}"
    document = f"{folder}/{registration.record_name(known)}"
    put_once(document, json.dumps(known, sort_keys=True).encode(), kms)
    statistics = f"{folder}/metrics.json"
    put_once(statistics, json.dumps(metrics, sort_keys=True).encode(), kms)
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    types = {"SupportedContentTypes": registration.TYPES, "SupportedResponseMIMETypes": registration.TYPES}
    wanted = registration.request(
        action["group"], {"Image": action["image"], "ModelDataUrl": data, "Environment": environment}, types,
        statistics, decisions.STATUS[known["approval"]], registration.metadata(known, document), known["summary"],
    )  # fmt: skip
    return models.Package(action["model_name"], action["group"], _create(wanted))


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
