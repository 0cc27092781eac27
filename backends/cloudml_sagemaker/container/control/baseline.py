"""A monitor's baseline in S3: profiles named by their digest, and a small document that says which ones hold now."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cloudml_sagemaker.container.control.aws import client, get, is_missing, put_once, split

VERSION = 1
POINTER = "baseline.json"
_SERVED = ("name", "EndpointName", "deployment", "model", "version", "digest", "arn")
"""What is kept of a deployment: which version of which model the baseline was put for."""

Document = dict[str, Any]


def put(folder: str, profiles: Document, endpoint: Document, at: str) -> Document:
    """Make these profiles the baseline of what the endpoint serves; the pointer as it is now.

    One that says the same already stays as it is, with its time: the same run twice changes nothing.
    """
    content = json.dumps({"version": VERSION, "columns": profiles}, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    uri = f"{folder}/baselines/{digest.removeprefix('sha256:')}.json"
    put_once(uri, content)
    served = {key: endpoint[key] for key in _SERVED if key in endpoint}
    wanted = {"version": VERSION, "digest": digest, "profiles": uri, "endpoint": served, "at": at}
    known = standing(folder)
    if known is not None and {**known, "at": at} == wanted:
        return known
    write(f"{folder}/{POINTER}", wanted)
    return wanted


def standing(folder: str) -> Document | None:
    """The pointer; None when no run has put a baseline yet."""
    try:
        found: Document = json.loads(get(f"{folder}/{POINTER}"))
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return found


def profiles(pointer: Document) -> Document:
    """The profiles that a pointer names, by column. Raises ValueError: they are not what their digest says."""
    content = get(pointer["profiles"])
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != pointer["digest"]:
        raise ValueError(f"{pointer['profiles']} is damaged: run the pipeline again")
    found: Document = json.loads(content)["columns"]
    return found


def write(uri: str, document: Any) -> None:
    """A JSON document to an address."""
    bucket, key = split(uri)
    body = json.dumps(document, sort_keys=True, indent=1).encode()
    client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
