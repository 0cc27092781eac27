"""Buckets: each is a folder; one that was made by hand is a bucket with default settings."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage.conditions import of_query
from cloudml_vertex.mock.storage.errors import conflict, invalid, no_bucket, not_executed, required
from cloudml_vertex.mock.storage.http import Answer, Request, json_answer
from cloudml_vertex.mock.storage.paging import page_size, read_token, token
from cloudml_vertex.mock.storage.records import etag

Document = dict[str, Any]
_SCOPE = Scope("", "")
SETTABLE = (
    *("labels", "storageClass", "iamConfiguration", "lifecycle", "versioning", "website", "cors", "billing"),
    *("retentionPolicy", "softDeletePolicy", "encryption", "defaultEventBasedHold", "rpo", "autoclass", "logging"),
    *("hierarchicalNamespace", "customPlacementConfig", "location", "acl", "defaultObjectAcl"),
)
_FIXED = ("location", "hierarchicalNamespace", "customPlacementConfig")
_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY")
_MULTI = ("US", "EU", "ASIA")
_DUAL = re.compile(r"(NAM|EUR|ASIA)\d{1,2}")
_REGION = re.compile(r"[A-Z]+(-[A-Z]+)+\d{1,2}")
_LABEL = re.compile(r"[-\w]{0,63}")


def table(world: World) -> Any:
    """The buckets' documents, by name."""
    return world.table("gcs_bucket", _SCOPE)


def find(world: World, name: str) -> Document:
    """A bucket's document. Raises StorageError (404). Needs the lock."""
    try:
        gcs.bucket_folder(world, name)
    except gcs.GcsMissing:
        table(world).delete(name)
        raise no_bucket() from None
    found: Document | None = table(world).get(name)
    return found if found is not None else _new(world, name, "", {})


def _new(world: World, name: str, project: str, given: Document) -> Document:
    stamp = world.stamp()
    location = str(given.get("location") or "US").upper()
    document: Document = {
        "project": world.project_number(project) if project else "",
        "location": location,
        "locationType": _location_type(location),
        "storageClass": "STANDARD",
        "iamConfiguration": {
            "bucketPolicyOnly": {"enabled": False},
            "uniformBucketLevelAccess": {"enabled": False},
            "publicAccessPrevention": "inherited",
        },
        **{key: given[key] for key in SETTABLE if given.get(key) is not None and key != "location"},
        "_created": stamp,
        "_updated": stamp,
        "_metageneration": 1,
    }
    found: Document = table(world).put(name, document)
    return found


def _location_type(location: str) -> str:
    if location in _MULTI:
        return "multi-region"
    if _DUAL.fullmatch(location):
        return "dual-region"
    if _REGION.fullmatch(location):
        return "region"
    raise invalid(f"The specified location constraint is not valid: {location[:50]!r}.")


def resource(request: Request, name: str, document: Document) -> Document:
    """The Bucket resource."""
    shown = {key: value for key, value in document.items() if not key.startswith("_") and key != "project"}
    return {
        "kind": "storage#bucket",
        "selfLink": f"{request.base}/storage/v1/b/{name}",
        "id": name,
        "name": name,
        "projectNumber": document["project"] or "0",
        "generation": "1",
        "metageneration": str(document["_metageneration"]),
        "timeCreated": document["_created"],
        "updated": document["_updated"],
        "etag": etag(document["_metageneration"]),
        **shown,
    }


def _check(given: Document) -> None:
    if not isinstance(given.get("labels") or {}, dict):
        raise invalid("labels must be a map.")
    for key, value in (given.get("labels") or {}).items():
        fits = value is None or (isinstance(value, str) and value == value.lower() and _LABEL.fullmatch(value))
        if not fits or not key or key != key.lower() or not _LABEL.fullmatch(key):
            raise invalid(f"Invalid label: {key!r}: {value!r}.")
    if given.get("storageClass") not in {None, *_CLASSES}:
        raise invalid(f"Invalid argument: the storage class {given['storageClass']!r}.")
    for name, text in (("versioning", "object versioning"), ("hierarchicalNamespace", "hierarchical namespaces")):
        if isinstance(given.get(name), dict) and given[name].get("enabled"):
            raise not_executed(text, "old generations are not kept, and buckets are flat")


def insert(world: World, request: Request, _names: tuple[str, ...]) -> Answer:
    """buckets.insert"""
    given = request.document()
    name = str(given.get("name") or "")
    project = request.query.get("project", "")
    if not project:
        raise required("Required parameter: project")
    if not gcs.is_bucket_name(name):
        raise invalid(f"Invalid bucket name: '{name[:250]}'")
    _check(given)
    _location_type(str(given.get("location") or "US").upper())
    with world.lock:
        if (world.gcs / name).is_dir():
            owner = find(world, name)
            raise conflict(
                "Your previous request to create the named bucket succeeded and you already own it."
                if owner["project"] in {"", world.project_number(project)}
                else "The requested bucket name is not available. Please select a different name and try again."
            )
        gcs.make_bucket(world, name)
        return json_answer(resource(request, name, _new(world, name, project, given)))


def get(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.get"""
    with world.lock:
        found = find(world, names[0])
        _conditions(request, found, reading=True)
        return json_answer(resource(request, names[0], found))


def _conditions(request: Request, found: Document, *, reading: bool = False) -> None:
    meta = int(found["_metageneration"])
    of_query(request.query, request.headers).check((1, meta, etag(meta)), reading=reading)


def listed(world: World, request: Request, _names: tuple[str, ...]) -> Answer:
    """buckets.list"""
    project = request.query.get("project", "")
    if not project:
        raise required("Required parameter: project")
    number, prefix = world.project_number(project), request.query.get("prefix", "")
    start = read_token(request)
    names = [entry.name for entry in os.scandir(world.gcs) if entry.is_dir()] if world.gcs.is_dir() else []
    wanted = sorted(name for name in names if gcs.is_bucket_name(name) and name.startswith(prefix) and name > start)
    items: list[Document] = []
    result: Document = {"kind": "storage#buckets"}
    with world.lock:
        for name in wanted:
            found = find(world, name)
            if found["project"] not in {"", number}:
                continue
            if len(items) == page_size(request):
                result["nextPageToken"] = token(items[-1]["name"])
                break
            items.append(resource(request, name, found))
    return json_answer({**result, "items": items} if items else result)


def patch(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.patch: given fields change, null clears; maps are merged."""
    return _change(world, request, names[0], merge=True)


def update(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.update: what is not given goes back to its default."""
    return _change(world, request, names[0], merge=False)


def _change(world: World, request: Request, name: str, *, merge: bool) -> Answer:
    given = request.document()
    _check(given)
    with world.lock:
        found = find(world, name)
        _conditions(request, found)
        if str(given.get("location") or found["location"]).upper() != found["location"]:
            raise invalid("The location of a bucket cannot be changed.")
        changed = dict(found) if merge else {key: value for key, value in found.items() if key not in SETTABLE[1:]}
        for key in SETTABLE:
            if key in given and key not in _FIXED:
                changed[key] = merged(changed.get(key), given[key]) if merge else given[key]
        changed = {key: value for key, value in changed.items() if value is not None}
        changed.setdefault("location", found["location"])
        changed.setdefault("storageClass", "STANDARD")
        changed.update(_updated=world.stamp(), _metageneration=found["_metageneration"] + 1)
        table(world).put(name, changed)
        return json_answer(resource(request, name, changed))


def merged(old: Any, new: Any) -> Any:
    """A JSON merge patch (RFC 7396), which is what PATCH means in this API."""
    if not isinstance(new, dict):
        return new
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        result[key] = merged(result.get(key), value)
    return {key: value for key, value in result.items() if value is not None}


def delete(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.delete"""
    name = names[0]
    with world.lock:
        _conditions(request, find(world, name))
        if next(iter(gcs.Walk(world, name)), None) is not None:
            raise conflict("The bucket you tried to delete is not empty.")
        shutil.rmtree(world.gcs / name)
        shutil.rmtree(gcs.side(world) / "odd" / name, ignore_errors=True)
        table(world).delete(name)
        records = world.table("gcs_object", Scope("", name))
        for key in [key for key, _ in records.items()]:
            records.delete(key)
    return Answer(204)


def layout(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.getStorageLayout"""
    with world.lock:
        found = find(world, names[0])
    shown = {key: found[key] for key in ("location", "locationType")}
    return json_answer({"kind": "storage#storageLayout", "bucket": names[0], **shown})


def get_policy(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.getIamPolicy"""
    with world.lock:
        found = find(world, names[0])
    policy = found.get("_policy") or {"version": 1, "bindings": []}
    return json_answer(_policy(names[0], policy))


def set_policy(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.setIamPolicy: kept and given back; the mock asks nobody for permission."""
    given = request.document()
    if not isinstance(given.get("bindings", []), list):
        raise invalid("bindings must be a list.")
    with world.lock:
        found = find(world, names[0])
        old = found.get("_policy") or {"version": 1, "bindings": []}
        if given.get("etag") not in {None, _policy(names[0], old)["etag"]}:
            raise conflict("The policy was changed in the meantime.")
        policy = {"version": given.get("version", 1), "bindings": given.get("bindings", [])}
        policy["_change"] = old.get("_change", 0) + 1
        table(world).put(names[0], {**found, "_policy": policy})
    return json_answer(_policy(names[0], policy))


def _policy(name: str, policy: Document) -> Document:
    shown = {key: value for key, value in policy.items() if not key.startswith("_")}
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{name}",
        "etag": etag(policy.get("_change", 0)),
        **shown,
    }


def test_permissions(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """buckets.testIamPermissions: everybody may everything."""
    with world.lock:
        find(world, names[0])
    asked = request.query.get("permissions", "")
    return json_answer({"kind": "storage#testIamPermissionsResponse", "permissions": asked.split(",") if asked else []})
