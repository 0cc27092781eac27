"""Files from outside that a run reads: those of this machine are brought to S3, those in S3 are looked at.

SageMaker's step cache compares addresses, not contents. So a file of this machine goes under an address that its
content names, and what lies behind other addresses is told to the jobs that read it as a salt (`cloudml-content`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudml.errors import Diagnostic, SpecError
from cloudml.plan.resource import digest_of
from cloudml.runtime.digest import measure
from cloudml_sagemaker import names
from cloudml_sagemaker.client import Client, bucket_and_key
from cloudml_sagemaker.compile.expressions import every
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World

LARGEST = 5 << 30
"""Bytes of one PutObject (S3 user guide)."""
_PARAMETERS = "Parameters."


def addresses(definition: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What jobs read from outside: parameters (by SageMaker's names) that are addresses, and addresses as they are."""
    parameters: set[str] = set()
    fixed: set[str] = set()
    for uri in _inputs(definition):
        if isinstance(uri, str):
            fixed.add(uri)
        elif isinstance(uri, dict) and str(uri.get("Get", "")).startswith(_PARAMETERS):
            parameters.add(uri["Get"].removeprefix(_PARAMETERS))
    return parameters, fixed


def _inputs(definition: Mapping[str, Any]) -> Iterator[Any]:
    for step in every(definition["Steps"]):
        arguments = step["Arguments"]
        for one in arguments.get("ProcessingInputs", ()):
            if one["InputName"] != "cloudml":
                yield one.get("S3Input", {}).get("S3Uri")
        for channel in arguments.get("TrainingJobDefinition", arguments).get("InputDataConfig", ()):
            if channel["ChannelName"] != "cloudml":
                yield channel["DataSource"].get("S3DataSource", {}).get("S3Uri")


def brought(world: World, definition: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a run with the address in S3 for each file of this machine.

    Raises SpecError (CML403) for a file that is not there, AwsError.
    """
    wanted, _ = addresses(definition)
    found = dict(values)
    wrong: list[Diagnostic] = []
    for name, value in values.items():
        if names.parameter(name) not in wanted or str(value).startswith("s3://"):
            continue
        path = Path(str(value)).expanduser()
        path = path if path.is_absolute() else world.place.root / path
        problem = _problem(path)
        if problem:
            wrong.append(Diagnostic("CML403", f"parameter {name}", problem, "give a file of this machine, or s3://…"))
        else:
            found[name] = _upload(world, path)
    if wrong:
        raise SpecError(wrong)
    return found


def _problem(path: Path) -> str:
    if not path.exists():
        return f"there is no {path}"
    files = [path] if path.is_file() else _files(path)
    if not files:
        return f"{path} is an empty folder"
    big = next((one for one in files if one.stat().st_size > LARGEST), None)
    return f"{big} is larger than 5 GiB: bring it to S3 with `aws s3 cp`" if big is not None else ""


def _files(folder: Path) -> list[Path]:
    return sorted(Path(where, name) for where, _, found in os.walk(folder) for name in found)


def _upload(world: World, path: Path) -> str:
    """Put a file or folder where its content says; what is there already is the same."""
    digest = measure(path)[0].partition(":")[2]
    uri = f"{world.place.base}/inputs/{digest}/{path.name}"
    if path.is_file():
        _put(world, path, uri)
        return uri
    for file in _files(path):
        _put(world, file, f"{uri}/{file.relative_to(path).as_posix()}")
    return f"{uri}/"


def _put(world: World, path: Path, uri: str) -> None:
    bucket, key = bucket_and_key(uri)
    there = world.client.find("s3", "HeadObject", Bucket=bucket, Key=key)
    if there is not None and there["ContentLength"] == path.stat().st_size:
        return
    with path.open("rb") as file:
        checksum = base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
    kms = world.place.kms
    more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
    with path.open("rb") as file:
        world.client.call("s3", "PutObject", Bucket=bucket, Key=key, Body=file, ChecksumSHA256=checksum, **more)


def content(client: Client, definition: Mapping[str, Any], texts: Mapping[str, str]) -> str | None:
    """The salt for what lies behind the addresses of a run now; None when it reads nothing from outside.

    What may not be looked at from here (the jobs' role may) is taken as changed. Raises AwsError.
    """
    parameters, fixed = addresses(definition)
    defaults = {one["Name"]: one.get("DefaultValue") for one in definition.get("Parameters", ())}
    uris = fixed | {str(texts.get(name) or defaults.get(name) or "") for name in parameters}
    if not uris:
        return None
    try:
        return digest_of({uri: _listing(client, uri) for uri in sorted(uris)}).partition(":")[2][:32]
    except AwsError as error:
        if error.kind not in ("denied", "missing", "region"):
            raise
        return uuid.uuid4().hex


def _listing(client: Client, uri: str) -> list[Any]:
    try:
        bucket, key = bucket_and_key(uri)
    except ValueError:
        return []
    rows = client.pages("s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=key)
    return sorted([one["Key"], one["ETag"], one["Size"]] for one in rows)
