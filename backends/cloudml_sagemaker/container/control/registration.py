"""What a registered version looks like to AWS: its metadata and the request that makes it. Pure.

The same for a version that a run registers and for one that is adopted from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cloudml.jobs.control.registration import Facts, origin, record_name

__all__ = ["Facts", "metadata", "origin", "record_name", "record_of", "request", "token"]

METRIC = "cloudml:metric:"
DOCUMENT = "cloudml:document"
"""The metadata with the name of a registration's record; `record_of` tells its address."""
ORIGIN = "cloudml:origin"
"""The metadata with the identity of a registration: the same model with the same evidence is one version."""
ADOPTED = "cloudml:adopted-from"
"""The metadata with the ARN of the version that one was adopted from."""
METADATA = 50
"""Entries of CustomerMetadataProperties (API reference); keys have 128 characters, values 256."""
TYPES = ["application/json", "application/jsonlines", "text/csv"]
_FOREIGN = re.compile(r"[^\w .:/=+\-@]")
"""What CustomerMetadataKey and CustomerMetadataValue do not take (service model)."""
_OWN = ("digest", "origin", "run", "step", "format", "filename", "archive", "approval")


def record_of(package: Mapping[str, Any]) -> str:
    """The address of a version's record, which lies beside its metrics; empty when it has none.

    The metadata holds only its name: an address may be longer than the 256 characters that there is room for.
    """
    name = package.get("CustomerMetadataProperties", {}).get(DOCUMENT, "")
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {})
    folder = quality.get("Statistics", {}).get("S3Uri", "").rpartition("/")[0]
    return f"{folder}/{name}" if name and folder.startswith("s3://") else ""


def metadata(facts: Facts, document: str, more: dict[str, str] | None = None) -> dict[str, str]:
    """CustomerMetadataProperties of a version whose whole record lies at `document`: what is read most, in AWS's
    alphabet and lengths, as far as there is room.
    """
    own = {f"cloudml:{name}": str(facts.get(name) or "") for name in _OWN}
    own |= {
        DOCUMENT: document.rpartition("/")[2],
        "cloudml:predictor": str(facts.get("predictor") or ""),
        **(more or {}),
    }
    own |= {f"cloudml:tag:{name}": value for name, value in facts.get("tags", {}).items()}
    numbers = {METRIC + name: repr(value) for name, value in facts.get("metrics", {}).items()}
    together = {name: value for name, value in {**own, **numbers}.items() if value}
    return {
        _FOREIGN.sub("_", name)[:128]: _FOREIGN.sub("_", value)[:256]
        for name, value in list(together.items())[:METADATA]
    }


def request(
    group: str,
    container: dict[str, Any],
    specification: dict[str, Any],
    statistics: str,
    approval: str,
    properties: dict[str, str],
    summary: str,
) -> dict[str, Any]:
    """CreateModelPackage, without its token. `approval` is a value of ModelApprovalStatus."""
    found: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {"Containers": [container], **specification},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": statistics}}},
        "ModelApprovalStatus": approval,
        "CustomerMetadataProperties": properties,
    }
    if summary:
        found["ModelPackageDescription"] = " ".join(summary.split())[:1024]
    return found


def token(wanted: dict[str, Any], after: str = "") -> str:
    """A ClientToken of this very request, 36 characters: asked again because an answer was lost, it makes one version.

    `after`: something that tells apart a request after which the version was deleted again.
    """
    text = json.dumps([wanted, after], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:36]
