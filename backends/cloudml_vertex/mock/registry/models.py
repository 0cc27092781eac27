"""Models and their versions in the store, and how Vertex AI shows them.

A model has what all its versions share (table Model, by name); a version has the rest (table ModelVersion, by
`NAME@VERSION`). What clients see is both in one, with labels merged (docstring of UpdateModelRequest).
"""

from __future__ import annotations

import copy
import re
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import etags, names
from cloudml_vertex.mock.core.errors import invalid, not_found
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
MODEL = "Model"
VERSION = "ModelVersion"
ENDPOINT = "Endpoint"
PATTERN = "projects/*/locations/*/models/*"
DEFAULT = "default"
ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_ALIAS_WORDS = "an alias has 2 to 128 characters and the form [a-z][a-zA-Z0-9-]{0,126}[a-z0-9]"
RESOURCES = ["DEDICATED_RESOURCES", "SHARED_RESOURCES"]
INPUTS = ["jsonl", "bigquery", "csv", "tf-record", "tf-record-gzip", "file-list"]
OUTPUTS = ["jsonl", "bigquery"]
"""What Vertex AI says of models with a custom container (answers of ListModels shown in public issues)."""


def split(name: str) -> tuple[str, str]:
    """A model's name, and the version id or alias after its `@` ("" when there is none). Raises INVALID_ARGUMENT."""
    bare, _, version = name.partition("@")
    names.parse(bare, PATTERN)
    return bare, version


def scope_of(name: str) -> Scope:
    """Whose model it is. Raises INVALID_ARGUMENT."""
    project, location, _ = names.parse(name.partition("@")[0], PATTERN)
    return Scope(project, location)


def check_alias(alias: str) -> str:
    """The alias. Raises INVALID_ARGUMENT."""
    return names.check_id(alias, ALIAS, "version_aliases", _ALIAS_WORDS)


def find(world: World, name: str) -> tuple[Document, Document]:
    """The model and the version of a name with or without `@`; without one, or with `@-`, the default version.

    The documents are those of the store: needs the world's lock. Raises NOT_FOUND, INVALID_ARGUMENT.
    """
    bare, wanted = split(name)
    scope = scope_of(name)
    model = world.table(MODEL, scope).get(bare)
    if model is None:
        raise not_found(name)
    alias = DEFAULT if wanted in {"", "-"} else wanted
    for version in versions(world, bare):
        if version["version_id"] == alias or alias in version["version_aliases"]:
            return model, version
    raise not_found(name)


def versions(world: World, bare: str) -> list[Document]:
    """The versions of a model, oldest first, as in the store."""
    scope = scope_of(bare)
    model = world.table(MODEL, scope).get(bare)
    if model is None:
        return []
    table = world.table(VERSION, scope)
    found = (table.get(f"{bare}@{number}") for number in range(1, model["_next"]))
    return [row for row in found if row is not None]


def exact(world: World, name: str, what: str) -> tuple[Document, Document]:
    """As `find`, for requests that need a version id in the name. Raises INVALID_ARGUMENT, NOT_FOUND."""
    wanted = split(name)[1]
    if not wanted.isdigit():
        raise invalid(f"{what} needs a name with a version id, such as '{split(name)[0]}@1', and not {name!r}.")
    return find(world, name)


def deployments(world: World, bare: str, version_id: str = "") -> list[Document]:
    """DeployedModelRefs of a model, or of one version; deployments on their way are among them."""
    found = []
    for table in world.store.tables(ENDPOINT):
        for name, endpoint in table.items():
            rows = [*endpoint.get("deployed_models", []), *endpoint.get("_deploying", {}).values()]
            found += [
                {"endpoint": name, "deployed_model_id": row["id"]}
                for row in rows
                if row["model"] == bare and version_id in {"", row["model_version_id"]}
            ]
    return found


def view(world: World, model: Document, version: Document, *, versioned: bool = False) -> Document:
    """What clients see of a version; `versioned`: its id is in the name, as ListModelVersions answers."""
    found = {key: copy.deepcopy(value) for key, value in {**model, **version}.items() if key != "_next"}
    found["labels"] = {**model.get("labels", {}), **version.get("labels", {})}
    found["update_time"] = max(model["update_time"], version["version_update_time"])
    found["name"] = f"{model['name']}@{version['version_id']}" if versioned else model["name"]
    deployed = deployments(world, model["name"], version["version_id"])
    found.update({"deployed_models": deployed} if deployed else {})
    if not found["labels"]:
        del found["labels"]
    found["etag"] = etags.of(
        {key: value for key, value in found.items() if key not in {"name", "deployed_models", "update_time"}}
    )
    return found


def keep(world: World, version: Document) -> None:
    """Keep a version that was made or changed. Needs the lock."""
    bare = version["_model"]
    world.table(VERSION, scope_of(bare)).put(f"{bare}@{version['version_id']}", version)


def assign(world: World, bare: str, version_id: str, aliases: list[str]) -> None:
    """Give aliases to a version; other versions lose them. Needs the lock."""
    for row in versions(world, bare):
        held = row["version_aliases"]
        if row["version_id"] == version_id:
            new = [*held, *(alias for alias in aliases if alias not in held)]
        else:
            new = [alias for alias in held if alias not in aliases]
        if new != held:
            row["version_aliases"] = new
            row["version_update_time"] = world.stamp()
            keep(world, row)
