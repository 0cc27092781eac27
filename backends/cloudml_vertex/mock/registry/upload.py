"""UploadModel and CopyModel: a new model, or a new version of one. The artifacts are copied, as Vertex AI does."""

from __future__ import annotations

import re
from typing import Any

from cloudml_vertex.mock.core import gcs, labels, lro, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.registry import containers, models

Document = dict[str, Any]
_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ID_WORDS = "up to 63 characters of [a-z0-9_-], of which the first is neither a number nor a hyphen"
_SHARED = ("display_name", "description", "labels", "encryption_spec")
"""What belongs to the model and not to a version (docstring of UpdateModelRequest)."""
_OF_VERSION = (
    "version_description",
    "predict_schemata",
    "metadata_schema_uri",
    "metadata",
    "container_spec",
    "artifact_uri",
    "explanation_spec",
    "pipeline_job",
    "base_model_source",
    "default_checkpoint_id",
)


@rpc("ModelService.UploadModel", executes="the artifacts are copied; the version is there when the operation is done")
def upload_model(call: Call) -> Document:
    """Begin to make a model, or a version of `parent_model`."""
    world, params, given = call.world, call.params, call.params["model"]
    _check(world, given)
    parent = names.canonical(world, params.get("parent_model", ""))
    name = _target(world, call.parent, parent, params.get("model_id", ""))
    work = {"name": name, "model": given, "new": not parent}
    metadata = "UploadModelOperationMetadata"
    return lro.begin(call, on=name, metadata=metadata, response="UploadModelResponse", work=("model.upload", work))


@rpc("ModelService.CopyModel", executes="the default version and its artifacts are copied into the location")
def copy_model(call: Call) -> Document:
    """Begin to copy a model into the parent's location, as a model or as a version."""
    world, params = call.world, call.params
    source = names.canonical(world, params["source_model"])
    _, version = models.find(world, source)
    if models.scope_of(source).account != call.scope.account:
        raise invalid("source_model: the model must be in the same project.")
    parent = names.canonical(world, params.get("parent_model", ""))
    name = _target(world, call.parent, parent, params.get("model_id", ""))
    origin = f"{version['_model']}@{version['version_id']}"
    work = {"name": name, "origin": origin, "new": not parent}
    metadata = "CopyModelOperationMetadata"
    return lro.begin(call, on=name, metadata=metadata, response="CopyModelResponse", work=("model.copy", work))


def install(world: World) -> None:
    """Say what is done."""
    lro.register(world, "model.upload", _upload)
    lro.register(world, "model.copy", _copy)


def _target(world: World, location: str, parent: str, model_id: str) -> str:
    """The name of the model that is made or gets a version. Raises ALREADY_EXISTS, NOT_FOUND, INVALID_ARGUMENT."""
    names.parse(location, "projects/*/locations/*")
    if not parent:
        if model_id:
            names.check_id(model_id, _ID, "model_id", _ID_WORDS)
        name = names.child(location, "models", model_id or names.new_id(world, "Model"))
        if name in world.table(models.MODEL, models.scope_of(name)):
            raise already_exists(f"The model {name!r} exists already; give it as parent_model to add a version.")
        return name
    bare, version = models.split(parent)
    if version:
        raise invalid(f"parent_model: {parent!r} must not name a version.")
    if not bare.startswith(f"{location}/"):
        raise invalid(f"parent_model: {parent!r} is not in {location!r}.")
    if model_id and model_id != names.id_of(bare):
        raise invalid("model_id cannot be set together with parent_model.")
    if bare not in world.table(models.MODEL, models.scope_of(bare)):
        raise not_found(bare)
    return bare


def _check(world: World, given: Document) -> None:
    labels.display_name(given.get("display_name"), "model.display_name")
    labels.check(given.get("labels"), "model.labels")
    for alias in given.get("version_aliases", []):
        models.check_alias(alias)
    spec = given.get("container_spec")
    if spec is None:
        raise invalid("model.container_spec: a model that is not AutoML's needs the container that serves it.")
    containers.check(world, spec, "model.container_spec")
    uri = given.get("artifact_uri", "")
    if uri:
        try:
            gcs.split_uri(uri)
        except gcs.GcsMissing:
            raise invalid(f"model.artifact_uri: {uri!r} is not a Cloud Storage directory (gs://...).") from None


def _upload(world: World, operation: str, args: Document) -> Document:
    given = args["model"]
    done = _made_by(world, args["name"], operation)
    if done is None:
        fields = {key: given[key] for key in _OF_VERSION if key in given}
        fields["_artifacts"] = _take(world, operation, given.get("artifact_uri", ""))
        fields["model_source_info"] = {"source_type": "CUSTOM"}
        done = _add(world, operation, args, given, fields)
    return {"model": args["name"], "model_version_id": done}


def _copy(world: World, operation: str, args: Document) -> Document:
    done = _made_by(world, args["name"], operation)
    if done is None:
        with world.lock:
            model, version = models.find(world, args["origin"])
            fields = {key: version[key] for key in _OF_VERSION if key in version}
            shared = {key: model[key] for key in _SHARED if key in model}
            held = version["_artifacts"]
        fields["_artifacts"] = _take(world, operation, held)
        fields["model_source_info"] = {"source_type": "CUSTOM", "copy": True}
        fields["original_model_info"] = {"model": args["origin"]}
        done = _add(world, operation, args, shared, fields)
    return {"model": args["name"], "model_version_id": done}


def _made_by(world: World, name: str, operation: str) -> str | None:
    """The version that this operation made before the mock was killed; others lose its aliases now, if not then."""
    with world.lock:
        found = next((row for row in models.versions(world, name) if row["_operation"] == operation), None)
        if found is None:
            return None
        models.assign(world, name, found["version_id"], found["version_aliases"])
        return str(found["version_id"])


def _take(world: World, operation: str, uri: str) -> str:
    """Copy the artifacts into a bucket of Vertex AI's own; where they are now.

    Later changes of the user's directory do not reach the model (custom container requirements, AIP_STORAGE_URI).
    Raises FAILED_PRECONDITION when nothing is there.
    """
    if not uri:
        return ""
    directory = uri.rstrip("/") + "/"
    try:
        found = gcs.walk(world, directory)
    except gcs.GcsMissing:
        found = []
    if not found and world.switches["artifact-uri-missing"] == "fail":
        raise failed_precondition(f'There are no files under "{uri}" to copy.')
    project = operation.split("/")[1]
    bucket = f"caip-tenant-{project}"
    gcs.make_bucket(world, bucket)
    target = f"gs://{bucket}/{names.id_of(operation)}/artifacts"
    for one in found:
        gcs.write(world, f"{target}/{one.removeprefix(directory)}", gcs.read(world, one))
    return target


def _add(world: World, operation: str, args: Document, shared: Document, fields: Document) -> str:
    """Make the version, and its model when that is new; the version's id. Raises ALREADY_EXISTS, NOT_FOUND."""
    name = args["name"]
    with world.lock:
        table = world.table(models.MODEL, models.scope_of(name))
        model = table.get(name)
        if args["new"] and model is not None:
            raise already_exists(f"The model {name!r} exists already.")
        if not args["new"] and model is None:
            raise not_found(name)
        now = world.stamp()
        first = model is None
        if model is None:
            model = {"name": name, "create_time": now, "_next": 1, **_shared(shared)}
        elif world.switches["version-upload-display-name"] == "update":
            model.update({key: value for key, value in _shared(shared).items() if key != "labels"})
        number = str(model["_next"])
        aliases = list(dict.fromkeys(shared.get("version_aliases", [])))
        if first and models.DEFAULT not in aliases:
            aliases.append(models.DEFAULT)
        version = _version(operation, name, number, now, fields, {} if first else shared)
        models.keep(world, {**version, "version_aliases": aliases})
        # The model comes last: a mock that is killed in between makes the same version again.
        model["_next"] += 1
        model["update_time"] = now
        table.put(name, model)
        models.assign(world, name, number, aliases)
    return number


def _shared(given: Document) -> Document:
    return {key: given[key] for key in _SHARED if key in given}


def _version(operation: str, name: str, number: str, now: str, fields: Document, shared: Document) -> Document:
    exports = [{"id": "custom-trained", "exportable_contents": ["ARTIFACT"]}] if fields["_artifacts"] else []
    return {
        "version_id": number,
        "version_aliases": [],
        "version_create_time": now,
        "version_update_time": now,
        **fields,
        **({"labels": shared["labels"]} if shared.get("labels") else {}),
        "supported_deployment_resources_types": models.RESOURCES,
        "supported_input_storage_formats": models.INPUTS,
        "supported_output_storage_formats": models.OUTPUTS,
        **({"supported_export_formats": exports} if exports else {}),
        "_model": name,
        "_operation": operation,
    }


def remove_artifacts(world: World, version: Document) -> None:
    """Forget the copies of a version that is deleted."""
    held = version["_artifacts"]
    if not held:
        return
    try:
        found = gcs.walk(world, f"{held}/")
    except gcs.GcsMissing:
        return
    for uri in found:
        gcs.remove(world, *gcs.split_uri(uri))
