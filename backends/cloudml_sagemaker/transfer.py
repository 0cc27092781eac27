"""A model version goes from one account and region to another, by way of a folder on this machine (`exported.py`)."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from cloudml.errors import CorruptArtifact, Refused, StateError
from cloudml.plan import Resource
from cloudml.remote import state
from cloudml_sagemaker.client import bucket_and_key
from cloudml_sagemaker.container.control import decisions, registration
from cloudml_sagemaker.exported import ARCHIVE, BACKEND, FORMAT, HEX, MANIFEST, SAMPLE, SERVED, Sent
from cloudml_sagemaker.objects import put, send
from cloudml_sagemaker.packages import Group, Packages, Version
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.model_group import MODEL_GROUP
from cloudml_sagemaker.target import own_registry

T = TypeVar("T")

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between two looks for something that was just made."""
_BLOCK = 1 << 20


def lay_down(world: World, version: Version, folder: Path) -> None:
    """Fill an empty folder; the manifest comes last, so that what was cut off is no export.

    Raises Refused: the folder is not empty, or cloudml has not registered the version (CML538); CorruptArtifact;
    StateError: the folder cannot be written; AwsError.
    """
    label = f"{version.group.model}/{version.package.version}"
    digest = str(version.facts.get("archive", ""))
    if not HEX.fullmatch(digest):
        raise Refused(f"{label} was not registered by cloudml, or its record is gone", code="CML538")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Refused("the folder is not empty", where=str(folder), hint="name a new one")
        found = world.client.stream(version.package.data, lambda body: _save(body, folder / ARCHIVE))
        if found["sha256"] != digest:
            raise CorruptArtifact(
                f"the archive of {label} is not what was registered: {version.package.data}",
                hint="run the pipeline again to make and register it anew",
            )
        sample = json.dumps(version.facts.get("sample") or [], indent=1).encode()
        (folder / SAMPLE).write_bytes(sample)
        files = {ARCHIVE: found, SAMPLE: {"sha256": hashlib.sha256(sample).hexdigest(), "size": len(sample)}}
        temporary = folder / f".{MANIFEST}"
        temporary.write_text(json.dumps(_manifest(version, files), indent=1, sort_keys=True), encoding="utf-8")
        os.replace(temporary, folder / MANIFEST)
    except OSError as error:
        raise StateError(f"the version cannot be written: {error}", where=str(folder)) from error


def _save(body: IO[bytes], path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        while block := body.read(_BLOCK):
            file.write(block)
            digest.update(block)
            size += len(block)
    return {"sha256": digest.hexdigest(), "size": size}


def _manifest(version: Version, files: dict[str, Any]) -> dict[str, Any]:
    record = version.record()
    specification = version.package.document["InferenceSpecification"]
    return {
        "format": FORMAT,
        "backend": BACKEND,
        "model": version.group.model,
        "origin": version.package.arn,
        "version": {**record.to_dict(), "sample": [], "decisions": []},
        "facts": {name: value for name, value in version.facts.items() if name != "sample"},
        "container": {name: version.package.container.get(name) for name in ("Image", "Environment")},
        "specification": {name: specification[name] for name in SERVED if specification.get(name)},
        "decisions": list(record.decisions),
        "files": files,
    }


def take_up(world: World, packages: Packages, sent: Sent) -> Version:
    """The version in this target's group: the one with the same model and evidence, else a new one that is pending.

    Safe to repeat: objects are named by their content, and the request's token by the request. Raises AwsError,
    CorruptArtifact, Refused.
    """
    state.claim(world)
    group = _group(world, packages, sent.model)
    same = (
        one for one in packages.all([group]) if one.package.metadata.get(registration.ORIGIN) == sent.facts["origin"]
    )
    found = next(same, None)
    if found is not None:
        return found
    place = world.place
    folder = f"{place.base}/models/{sent.model}/{sent.digest}"
    facts = {**sent.facts, "archive": sent.digest, "adopted_from": sent.origin, "approval": "pending"}
    document = f"{folder}/{facts['origin']}/{registration.record_name(facts)}"
    statistics = f"{folder}/{facts['origin']}/metrics.json"
    send(world, f"{folder}/{ARCHIVE}", sent.archive, sent.digest)
    for uri, content in ((document, facts), (statistics, facts["metrics"])):
        put(world, *bucket_and_key(uri), json.dumps(content, sort_keys=True).encode())
    container = {**sent.container, "Image": _image(world, sent.container["Image"])}
    wanted = registration.request(
        group.name, {**container, "ModelDataUrl": f"{folder}/{ARCHIVE}"}, sent.specification, statistics,
        decisions.STATUS["pending"], registration.metadata(facts, document, {registration.ADOPTED: sent.origin}),
        facts["summary"],
    )  # fmt: skip
    return packages.one(sent.model, _create(world, wanted))


def _group(world: World, packages: Packages, model: str) -> Group:
    """The group of the model, made as `cloudml apply` makes it when there is none. Raises Refused: it is another's."""
    found = packages.group(model)
    if found is not None:
        return found
    place, name = world.place, packages.group_name(model)
    labels = {**dict(place.tags), tags.PROJECT: place.project, tags.TARGET: place.target}
    document = {"ModelPackageGroupName": name, "ModelPackageGroupDescription": model, "Tags": tags.listed(labels)}
    MODEL_GROUP.create(world, Resource.of(MODEL_GROUP.name, name, document))
    found = _shown(lambda: packages.group(model))
    if found is None:
        raise Refused(f"the model package group {name} was made, and is gone again", hint="adopt it again")
    return found


def _image(world: World, image: str) -> str:
    """What serves here: the target's own image, else the one it came with; AWS's own in this region."""
    if world.place.serving_image:
        return world.place.serving_image
    host, _, name = image.partition("/")
    region = host.split(".")[3] if host.count(".") > 3 else ""
    return f"{own_registry(world.place.region)}/{name}" if host and host == own_registry(region) else image


def _create(world: World, wanted: dict[str, Any]) -> int:
    """Make the package; its number. AWS knows a token even when the version that it made was deleted since."""
    for after in ("", str(time.time_ns())):
        made = world.client.call(
            "sagemaker", "CreateModelPackage", **wanted, ClientToken=registration.token(wanted, after)
        )
        arn = made["ModelPackageArn"]
        look = partial(world.client.find, "sagemaker", "DescribeModelPackage", ModelPackageName=arn)
        if _shown(look) is not None:
            return int(arn.rpartition("/")[2])
    raise Refused(f"the version {arn} was made, and is gone again", hint="adopt it again", code="CML538")


def _shown(look: Callable[[], T | None]) -> T | None:
    """What was just made, which AWS may show only after a while; None when it does not."""
    for pause in PAUSES:
        found = look()
        if found is not None:
            return found
        time.sleep(pause)
    return look()
