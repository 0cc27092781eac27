"""What a CreatePipelineJob request must say, whether a user sends it or a schedule keeps it for later."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import gcs, labels, names
from cloudml_vertex.mock.core.errors import GoogleError, field_violations, invalid, not_executed
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import definition
from cloudml_vertex.mock.pipelines.customjobs import BILLING_LABEL
from cloudml_vertex.mock.pipelines.definition.flow import Values
from cloudml_vertex.mock.pipelines.definition.model import Definition
from cloudml_vertex.mock.pipelines.room import stored

_JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,126}")
_NETWORK = re.compile(r"projects/[^/]+/global/networks/[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_FOLDER = re.compile(r"gs://[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9](/[^\x00-\x1f\x7f]*)?")

_OUTPUT_ONLY = (
    "name", "create_time", "start_time", "end_time", "update_time", "state", "job_detail", "error",
    "template_metadata", "schedule_name", "satisfies_pzs", "satisfies_pzi",
)  # fmt: skip
"""Fields of PipelineJob that are ignored in a request (https://google.aip.dev/203)."""


def check_request(world: World, scope: Scope, request: Document) -> Document:
    """The job that a request asks for, as it will be kept, without name and state: every rule but the id's uniqueness.

    Raises INVALID_ARGUMENT with all that is wrong in the job's own fields, or in its spec.
    """
    given = {key: value for key, value in request.get("pipeline_job", {}).items() if key not in _OUTPUT_ONLY}
    if request.get("pipeline_job_id"):
        check_id(request["pipeline_job_id"])
    job: Document = {**given, **_spec(world, given)}
    problems = list(_problems(job))
    if problems:
        raise field_violations(problems)
    labels.display_name(job.get("display_name"), "pipeline_job.display_name", required=False)
    labels.check(job.get("labels"), "pipeline_job.labels")
    parsed = definition.parse(job["pipeline_spec"], world.switches)
    job["_inputs"] = stored(_inputs(world, scope, parsed, job))
    job["_pipeline"] = parsed.name
    return job


def check_id(identifier: str) -> str:
    """Raises INVALID_ARGUMENT unless it may be a job's id (CreatePipelineJobRequest.pipeline_job_id)."""
    rule = "it begins with a lower-case letter and has less than 128 lower-case letters, digits and hyphens"
    return names.check_id(identifier, _JOB_ID, "pipeline_job_id", rule)


def new_id(world: World, pipeline: str, taken: Any) -> str:
    """An id for a job whose request gave none: the pipeline's name and the time, another when that is taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", pipeline.lower()).strip("-")[:100]
    base = plain if plain[:1].isalpha() else f"pipeline-{plain}".rstrip("-")
    stem = f"{base}-{datetime.fromtimestamp(world.now(), UTC):%Y%m%d%H%M%S}"
    found, number = stem, 1
    while taken(found):
        number += 1
        found = f"{stem}-{number}"
    return found


def labelled(job: Document, number: str) -> Document:
    """The job's labels with Vertex AI's own."""
    return {**job.get("labels", {}), BILLING_LABEL: number}


def _spec(world: World, job: Document) -> Document:
    """`pipeline_spec`, read from `template_uri` when the job has none."""
    if job.get("pipeline_spec"):
        return {}
    uri = job.get("template_uri", "")
    if not uri:
        raise invalid("pipeline_job: pipeline_spec or template_uri is required.")
    if not uri.startswith("gs://"):
        raise not_executed("a template registry", "give the spec in pipeline_spec, or as JSON at a gs:// URI")
    try:
        content = gcs.read(world, uri)
        spec = json.loads(content)
    except gcs.GcsError as problem:
        raise invalid(f"pipeline_job.template_uri: {problem}") from None
    except ValueError:
        raise invalid(f"pipeline_job.template_uri: {uri} is not a JSON document.") from None
    if not isinstance(spec, dict):
        raise invalid(f"pipeline_job.template_uri: {uri} is not a PipelineSpec.")
    version = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"pipeline_spec": spec.get("pipelineSpec", spec), "template_metadata": {"version": version}}


def _problems(job: Document) -> list[tuple[str, str]]:
    folder = job.get("runtime_config", {}).get("gcs_output_directory", "")
    key = job.get("encryption_spec", {}).get("kms_key_name")
    rules = (
        (
            "runtime_config.gcs_output_directory",
            _FOLDER.fullmatch(folder) is not None,
            "a path in a Cloud Storage bucket is required" if not folder else f"{folder!r} is no gs:// path",
        ),
        (
            "network",
            not job.get("network") or _NETWORK.fullmatch(job["network"]),
            "the form is projects/{project}/global/networks/{network}",
        ),
        (
            "service_account",
            not job.get("service_account") or _ACCOUNT.fullmatch(job["service_account"]),
            "an e-mail address of a service account is wanted",
        ),
        ("encryption_spec.kms_key_name", key is None or _KEY.fullmatch(key), f"{key!r} is no name of a key"),
        (
            "psc_interface_config",
            not (job.get("psc_interface_config") and job.get("network")),
            "a job has a network or a PSC interface, not both",
        ),
    )
    return [(f"pipeline_job.{field}", text) for field, fits, text in rules if not fits]


def _inputs(world: World, scope: Scope, parsed: Definition, job: Document) -> Values:
    """The root's inputs: run-time parameters with defaults, and artifacts by their ids in ML Metadata."""
    config = job["runtime_config"]
    parameters = definition.bind(parsed, config, world.switches)
    given = config.get("input_artifacts", {})
    problems = [
        ("pipeline_job.runtime_config.input_artifacts", f"the pipeline has no input artifact {name!r}")
        for name in given
        if name not in parsed.root.artifacts
    ]
    problems += [
        ("pipeline_job.runtime_config.input_artifacts", f"the input artifact {name!r} is required")
        for name, declared in parsed.root.artifacts.items()
        if name not in given and not declared.optional
    ]
    if problems:
        raise field_violations(problems)
    artifacts = {name: (_artifact(world, scope, one.get("artifact_id", "")),) for name, one in given.items()}
    return Values(parameters=parameters, artifacts=artifacts)


def _artifact(world: World, scope: Scope, identifier: str) -> Document:
    store = f"projects/{scope.account}/locations/{scope.region}/metadataStores/default"
    try:
        found = world.call(scope, "MetadataService.GetArtifact", {"name": f"{store}/artifacts/{identifier}"})
    except GoogleError as error:
        raise invalid(f"pipeline_job.runtime_config.input_artifacts: {error.message}") from None
    kind = {"schemaTitle": found.get("schema_title", ""), "schemaVersion": found.get("schema_version", "")}
    return {
        "name": found["name"],
        "type": {key: value for key, value in kind.items() if value},
        "uri": found.get("uri", ""),
        "metadata": found.get("metadata", {}),
    }
