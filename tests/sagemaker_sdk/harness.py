"""Building under moto: one session for every pipeline, and everything that the SDK uploaded meanwhile.

Import this module before anything of the SDK: it sets the environment that keeps the SDK offline.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    SAGEMAKER_VALIDATE_ROLE="false",  # moto knows no iam:SimulatePrincipalPolicy
    SAGEMAKER_ADMIN_CONFIG_OVERRIDE=str(Path(__file__).parent / "sdk_config.yaml"),  # telemetry off
)

import boto3
from moto import mock_aws

PROGRAMS = Path(__file__).parent / "programs"
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
BUCKET = "ml-bucket"
IMAGE = f"{REGISTRY}/ml:1"
TRAINER = f"{REGISTRY}/trainer:1"
SERVER = f"{REGISTRY}/server:1"

# Forty customers: charge 1.25 .. 98.75, churned above 50; region east holds every customer of an even number.
RAW = "region,charge,churned\n" + "".join(
    f"{'east' if n % 2 == 0 else 'west'},{1.25 + 2.5 * n},{int(1.25 + 2.5 * n > 50)}\n" for n in range(40)
)


@dataclass(frozen=True)
class Run:
    """One execution and its right end.

    `steps` holds the status of every step that ListPipelineExecutionSteps shows, `absent` the ones that it must not
    show (kept apart so that a reader sees why), `outcomes` Metadata.Condition.Outcome, `failure` words of a step's
    FailureReason, `cached` the steps with a CacheHitResult. `replies` are the answers to callback steps: the output
    parameters, or a string that is the reason to fail. `objects` are the number of objects that the run adds below a
    prefix of the bucket, `outputs` the output parameters in a step's metadata
    ({execution} stands for the execution's id), `endpoints` the ones that are InService
    afterwards, each with a CSV body and the answer to it. `doubt` names what AWS does not publish and the expectation
    takes for granted.
    """

    name: str
    why: str
    status: str
    steps: dict[str, str]
    absent: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    failure: dict[str, str] = field(default_factory=dict)
    cached: tuple[str, ...] = ()
    replies: dict[str, dict[str, str] | str] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    endpoints: dict[str, tuple[str, str]] = field(default_factory=dict)
    doubt: str | None = None


@dataclass(frozen=True)
class Broken:
    """A damaged copy: `patch` is a JSON Patch (RFC 6902) of the definition; refused at `at` (create, run or either).

    At create the error's code is ValidationException and its message holds every word of `says`, whatever the case;
    at run the execution ends with one of `status`, and so does `step` where one can be named.
    """

    name: str
    why: str
    patch: list[dict[str, Any]]
    at: tuple[str, ...] = ("create",)
    says: tuple[str, ...] = ()
    status: tuple[str, ...] = ("Failed",)
    step: str | None = None


@dataclass(frozen=True)
class Refused:
    """A start that StartPipelineExecution refuses with ValidationException; the message holds every word of `says`."""

    name: str
    why: str
    parameters: dict[str, str]
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A pipeline of the SDK and what belongs to it in the outside world."""

    pipeline: Any
    runs: tuple[Run, ...]
    broken: Callable[[dict[str, Any]], tuple[Broken, ...]]
    images: dict[str, str] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    functions: dict[str, str] = field(default_factory=dict)
    queues: tuple[str, ...] = ()
    doubt: str | None = None
    groups: tuple[str, ...] = ()
    parallelism: int | None = None
    inputs: dict[str, str] = field(default_factory=lambda: {"raw/customers.csv": RAW})


def step_path(definition: dict[str, Any], name: str) -> str:
    """JSON pointer of a step, wherever it is nested."""

    def search(steps: list[dict[str, Any]], path: str) -> Iterator[str]:
        for index, step in enumerate(steps):
            here = f"{path}/{index}"
            if step["Name"] == name:
                yield here
            for branch in ("IfSteps", "ElseSteps", "ForEachBody"):
                inner = step["Arguments"].get(branch) if isinstance(step["Arguments"], dict) else None
                yield from search(inner or [], f"{here}/Arguments/{branch}")

    return next(search(definition["Steps"], "/Steps"))


def put(path: str, value: Any) -> dict[str, Any]:
    """JSON Patch operation: set a member of an object or an element of a list (`/-` appends)."""
    # "add" on a list's index would insert.
    return {"op": "replace" if path.rpartition("/")[2].isdigit() else "add", "path": path, "value": value}


def drop(path: str) -> dict[str, Any]:
    """JSON Patch operation: remove the member."""
    return {"op": "remove", "path": path}


def session() -> Any:
    """A PipelineSession in the moto that is on."""
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    return PipelineSession(boto_session=boto3.Session(region_name="us-east-1"), default_bucket=BUCKET)


@contextmanager
def offline() -> Iterator[None]:
    """moto in this process, an empty bucket, and the SDK's chatter off."""
    logging.disable(logging.WARNING)
    with mock_aws(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield


_STAMP = re.compile(r"(?<=-)(20\d{6}(?:-?\d{6})|20\d\d(?:-\d\d){5}-\d{3})(?=[/\"]|$)")


class Stamps:
    """Time stamps in generated names become counters.

    Harmless: the names only tie a definition to its own uploads, and both are rewritten alike.
    """

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def out_of(self, text: str) -> str:
        """The text with every stamp replaced."""
        return _STAMP.sub(lambda hit: self._seen.setdefault(hit[0], f"stamp{len(self._seen) + 1}"), text)


def uploads() -> dict[str, bytes]:
    """Every object in the bucket, without byte code (the SDK uploads it, no Python needs it)."""
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    kept = [key for key in keys if not key.endswith(".pyc")]
    return {f"s3://{BUCKET}/{key}": client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in kept}


def plain(value: Run | Refused | Broken) -> dict[str, Any]:
    """The members that say something."""
    return {name: member for name, member in dataclasses.asdict(value).items() if member not in (None, {}, ())}


def document(case: Case) -> tuple[dict[str, Any], dict[str, str]]:
    """The data file of a case, and the shared blobs that it points to (by SHA-256)."""
    stamps = Stamps()
    text = case.pipeline.definition()
    before = uploads()  # after definition(): that call uploads
    definition = json.loads(stamps.out_of(text))
    prefixes = {uri.rstrip("/") for uri in named_uris(json.loads(text))}
    named = {uri: data for uri, data in before.items() if any(f"{uri}/".startswith(f"{one}/") for one in prefixes)}
    named |= {f"s3://{BUCKET}/{key}": value.encode() for key, value in case.inputs.items()}
    files: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    for uri, data in sorted(named.items()):
        encoded = base64.b64encode(data).decode()
        if "/sm_drivers/" in uri:
            digest = hashlib.sha256(data).hexdigest()
            shared[digest] = encoded
            files[stamps.out_of(uri)] = {"shared": digest}
        else:
            files[stamps.out_of(uri)] = {"base64": encoded}
    body = {
        "sdk": {name: importlib.metadata.version(name) for name in ("sagemaker", "sagemaker-core", "botocore")},
        "pipeline": case.pipeline.name,
        "parallelism": case.parallelism,
        "definition": definition,
        "files": files,
        "images": case.images,
        "functions": case.functions,
        "queues": list(case.queues),
        "doubt": case.doubt,
        "groups": list(case.groups),
        "expect": [plain(run) for run in case.runs],
        "refused": [plain(start) for start in case.refused],
        "broken": [plain(broken) for broken in case.broken(definition)],
    }
    return body, shared


def named_uris(value: Any) -> Iterator[str]:
    """Every S3 URI that stands literally in a definition."""
    if isinstance(value, str):
        yield from [value] if value.startswith("s3://") else []
    elif isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            # The head of a joined URI is no place of an upload.
            yield from () if key == "Std:Join" else named_uris(member)
