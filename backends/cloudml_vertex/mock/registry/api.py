"""ModelService: reading, changing and deleting models and versions, aliases, export."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.core import etags, gcs, labels, lro, masks, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, not_executed, not_found
from cloudml_vertex.mock.core.filters import Field
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.registry import models, upload

Document = dict[str, Any]
_OF_MODEL = ("display_name", "description", "labels")
_OF_VERSION = ("version_description", "labels", "default_checkpoint_id")
_ORDER = {"display_name": "display_name", "create_time": "create_time", "update_time": "update_time"}
_OPERATORS = {
    **dict.fromkeys(("model", "display_name", "displayName"), "= !="),
    **dict.fromkeys(("base_model_name", "baseModelName"), "="),
}
"""Docstring of ListModelsRequest.filter."""
_VERSION_ORDER = {"create_time": "version_create_time", "update_time": "version_update_time"}


@rpc("ModelService.GetModel")
def get_model(call: Call) -> Document:
    """The version that the name means: `@ID`, `@ALIAS`, else the default one."""
    return models.view(call.world, *models.find(call.world, call.name))


@rpc("ModelService.ListModels")
def list_models(call: Call) -> Document:
    """Models, each by its default version."""
    rows = [models.view(call.world, *models.find(call.world, name)) for name, _ in call.table(models.MODEL).items()]
    filters: dict[str, Field] = {
        "model": lambda row: names.id_of(row["name"]),
        "display_name": "display_name",
        "displayName": "display_name",
        "labels": "labels",
        "base_model_name": lambda row: "",
        "baseModelName": lambda row: "",
    }
    return listed(call, rows, "models", filters=filters, operators=_OPERATORS, order=_ORDER)


@rpc("ModelService.ListModelVersions")
def list_model_versions(call: Call) -> Document:
    """The versions of a model."""
    model, _ = models.find(call.world, models.split(call.name)[0])
    found = models.versions(call.world, model["name"])
    rows = [models.view(call.world, model, row, versioned=True) for row in found]
    filters = {"labels": "labels"}
    order = "create_time desc"
    return listed(call, rows, "models", filters=filters, order=_VERSION_ORDER, default_order=order)


@rpc("ModelService.ListModelVersionCheckpoints")
def list_checkpoints(call: Call) -> Document:
    """None: models with a custom container have no checkpoints."""
    models.find(call.world, call.name)
    return {"checkpoints": []}


@rpc("ModelService.UpdateModel")
def update_model(call: Call) -> Document:
    """Change the model, or with `@` in the name one version; not both in one request (UpdateModelRequest)."""
    world, patch = call.world, call.params["model"]
    wanted = models.split(call.name)[1]
    model, version = models.find(world, call.name)
    own, other = (_OF_MODEL, _OF_VERSION) if wanted in {"", "-"} else (_OF_VERSION, _OF_MODEL)
    paths = call.params.get("update_mask") or [key for key in own if key in patch]
    wrong = [path for path in paths if path in other and path not in own]
    if wrong:
        level = "model" if own is _OF_MODEL else "model version"
        raise failed_precondition(f"{', '.join(wrong)} cannot be updated by the name of a {level}: {call.name!r}.")
    etags.check(world, models.view(world, model, version), patch.get("etag"))
    labels.check(patch.get("labels"), "model.labels")
    target = model if own is _OF_MODEL else version
    changed = masks.apply(target, patch, paths, own)
    if own is _OF_MODEL:
        labels.display_name(changed.get("display_name"), "model.display_name")
        changed["update_time"] = call.stamp
        model = call.table(models.MODEL).put(model["name"], changed)
    else:
        changed["version_update_time"] = call.stamp
        version = changed
        models.keep(world, version)
    return models.view(world, model, version)


@rpc("ModelService.MergeVersionAliases")
def merge_version_aliases(call: Call) -> Document:
    """Add aliases to a version, take those with a leading `-` from it; one that is both added and removed stays out."""
    world = call.world
    model, version = models.exact(world, call.name, "MergeVersionAliases")
    given: list[str] = call.params["version_aliases"]
    added = {models.check_alias(alias) for alias in given if not alias.startswith("-")}
    removed = {models.check_alias(alias[1:]) for alias in given if alias.startswith("-")}
    both = added & removed
    added, removed = added - both, removed - both
    if models.DEFAULT in removed:
        raise invalid("The alias 'default' cannot be removed; add it to another version instead.")
    models.assign(world, model["name"], version["version_id"], [alias for alias in given if alias in added])
    kept = [alias for alias in version["version_aliases"] if alias not in removed]
    if kept != version["version_aliases"]:
        version["version_aliases"] = kept
        version["version_update_time"] = call.stamp
        models.keep(world, version)
    return models.view(world, model, version)


@rpc("ModelService.DeleteModel", executes="the model, its versions and their copied artifacts are removed")
def delete_model(call: Call) -> Document:
    """Begin to delete a model. FAILED_PRECONDITION while something is deployed from it."""
    bare, wanted = models.split(call.name)
    if wanted:
        raise invalid(f"{call.name!r} names a version; use DeleteModelVersion.")
    models.find(call.world, bare)
    _undeployed(call.world, bare, "")
    return _delete(call, bare, {"name": bare, "version": ""})


@rpc("ModelService.DeleteModelVersion", executes="the version and its copied artifacts are removed")
def delete_model_version(call: Call) -> Document:
    """Begin to delete a version: not the only one, not the default one, none that is deployed."""
    world = call.world
    model, version = models.exact(world, call.name, "DeleteModelVersion")
    bare, number = model["name"], version["version_id"]
    if len(models.versions(world, bare)) == 1:
        raise failed_precondition(f"{call.name!r} is the only version of its model; use DeleteModel.")
    if models.DEFAULT in version["version_aliases"]:
        raise failed_precondition(f"{call.name!r} is the default version; move the alias 'default' first.")
    _undeployed(world, bare, number)
    return _delete(call, f"{bare}@{number}", {"name": bare, "version": number})


def _delete(call: Call, on: str, work: Document) -> Document:
    return lro.begin(call, on=on, metadata="DeleteOperationMetadata", response="", work=("model.delete", work))


def _undeployed(world: World, bare: str, version: str) -> None:
    refs = models.deployments(world, bare, version)
    if refs:
        where = ", ".join(f"{ref['endpoint']} ({ref['deployed_model_id']})" for ref in refs)
        raise failed_precondition(f"The Model {bare!r} is deployed or being deployed at the following: {where}.")


def _do_delete(world: World, operation: str, args: Document) -> None:
    del operation
    with world.lock:
        bare, number = args["name"], args["version"]
        _undeployed(world, bare, number)
        gone = [row for row in models.versions(world, bare) if number in {"", row["version_id"]}]
        scope = models.scope_of(bare)
        for row in gone:
            world.table(models.VERSION, scope).delete(f"{bare}@{row['version_id']}")
        if not number:
            world.table(models.MODEL, scope).delete(bare)
            for kind in ("ModelEvaluation", "ModelEvaluationSlice"):
                table = world.table(kind, scope)
                for key in [key for key, _ in table.items() if key.startswith(f"{bare}/")]:
                    table.delete(key)
    for row in gone:
        upload.remove_artifacts(world, row)


@rpc("ModelService.ExportModel", executes="the artifacts are written below the destination")
def export_model(call: Call) -> Document:
    """Begin to write the artifacts to `model-export-DISPLAY_NAME-TIME` below the destination (OutputConfig)."""
    world, config = call.world, call.params["output_config"]
    model, version = models.find(world, call.name)
    if config.get("image_destination"):
        raise not_executed("Exporting an image", "export the artifact only")
    formats = [row["id"] for row in version.get("supported_export_formats", [])]
    wanted = config.get("export_format_id") or (formats[0] if formats else "")
    if not formats:
        raise failed_precondition(f"The Model {call.name!r} is not exportable: it has no artifact.")
    if wanted not in formats:
        raise invalid(f"output_config.export_format_id: {wanted!r} is not one of {', '.join(formats)}.")
    prefix = config.get("artifact_destination", {}).get("output_uri_prefix", "")
    try:
        bucket, _ = gcs.split_uri(prefix)
        gcs.bucket_folder(world, bucket)
    except gcs.GcsMissing:
        raise invalid(f"output_config.artifact_destination: there is no bucket for {prefix!r}.") from None
    moment = call.stamp[:19] + f".{int(call.now * 1000) % 1000:03d}Z"
    folder = f"{prefix.rstrip('/')}/model-export-{model['display_name'].replace('/', '_')}-{moment}"
    work = {"from": version["_artifacts"], "to": f"{folder}/"}
    extra = {"output_info": {"artifact_output_uri": folder}}
    metadata, response = "ExportModelOperationMetadata", "ExportModelResponse"
    return lro.begin(
        call, on=model["name"], metadata=metadata, response=response, work=("model.export", work), extra=extra
    )


def _do_export(world: World, operation: str, args: Document) -> Document:
    del operation
    source = f"{args['from']}/"
    for uri in gcs.walk(world, source):
        gcs.write(world, args["to"] + uri.removeprefix(source), gcs.read(world, uri))
    return {}


@rpc("ModelService.UpdateExplanationDataset")
def update_explanation_dataset(call: Call) -> Document:
    """Example-based explanations need Google's index."""
    if not call.params.get("model"):
        raise not_found("")
    raise not_executed("UpdateExplanationDataset", "use a model without example-based explanations")


def install(world: World) -> None:
    """Say what is done."""
    lro.register(world, "model.delete", _do_delete)
    lro.register(world, "model.export", _do_export)
