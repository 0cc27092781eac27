"""Projects, locations, IAM policies: any project and location exists, policies are kept, nobody is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import aborted, invalid
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.world import World

LOCATIONS = (
    "asia-east1",
    "asia-northeast1",
    "asia-southeast1",
    "australia-southeast1",
    "europe-west1",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "northamerica-northeast1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-west1",
)
_POLICIES = "IamPolicy"
_VERSIONS = (0, 1, 3)


def shown(world: World, name: str) -> str:
    """The name as Monitoring, Pub/Sub and Logging write it: with the project's id in place of its number."""
    head, _, rest = name.partition("/")
    number, slash, tail = rest.partition("/")
    return f"{head}/{world.project_id(number)}{slash}{tail}" if head == "projects" else name


def account_of(world: World, name: str) -> str:
    """The number of the project in a resource's name. Raises INVALID_ARGUMENT when it names none."""
    parts = names.canonical(world, name).split("/")
    if len(parts) < 2 or parts[0] != "projects" or not parts[1]:
        raise invalid(f"The name {name!r} does not begin with 'projects/PROJECT'.")
    return parts[1]


def _project(world: World, number: str) -> Document:
    return {
        "name": f"projects/{number}",
        "project_id": world.project_id(number),
        "display_name": world.project_id(number),
        "state": "ACTIVE",
    }


@rpc("Projects.GetProject")
def get_project(call: Call) -> Document:
    """Number and id belong together for the world's whole life."""
    names.parse(call.name, "projects/*")
    return _project(call.world, account_of(call.world, call.name))


@rpc("Projects.SearchProjects")
def search_projects(call: Call) -> Document:
    """The projects that were named so far; `query` by `id:`, `projectId:`, `name:`, `displayName:` or `state:`."""
    rows = [_project(call.world, number) for number in _known(call.world)]
    for word in str(call.params.get("query", "")).split():
        if word == "AND":
            continue
        field, separator, value = re.split(r"([:=])", word, maxsplit=1) if re.search(r"[:=]", word) else (word, "", "")
        key = _QUERY.get(field.lower())
        if not separator or key is None:
            raise invalid(f"query: {word!r} is no restriction that SearchProjects knows.")
        pattern = re.compile(re.escape(value.strip("\"'")).replace(r"\*", ".*"), re.IGNORECASE)
        rows = [row for row in rows if pattern.fullmatch(str(row[key]))]
    return page(call, rows, "projects")


_QUERY = {
    "id": "project_id",
    "projectid": "project_id",
    "name": "display_name",
    "displayname": "display_name",
    "state": "state",
    "lifecyclestate": "state",
}


def _known(world: World) -> list[str]:
    return [number for table in world.store.tables("_project") for number, _ in table.items()]


@rpc("Projects.TestIamPermissions")
def test_project_permissions(call: Call) -> Document:
    """Everybody may do everything."""
    return {"permissions": call.params.get("permissions", [])}


@rpc("IAMPolicy.TestIamPermissions")
def test_permissions(call: Call) -> Document:
    """Everybody may do everything."""
    return {"permissions": call.params.get("permissions", [])}


@rpc("Projects.GetIamPolicy")
@rpc("IAMPolicy.GetIamPolicy")
def get_policy(call: Call) -> Document:
    """The policy that was set; an empty one otherwise (google.iam.v1.IAMPolicy)."""
    resource = names.canonical(call.world, str(call.params.get("resource", "")))
    held = _policies(call, resource).get(resource)
    return held if held is not None else {"etag": _etag({}), "version": 1}


@rpc("Projects.SetIamPolicy")
@rpc("IAMPolicy.SetIamPolicy")
def set_policy(call: Call) -> Document:
    """Replace the policy; a given etag must be that of the one in force (google.iam.v1.Policy.etag)."""
    resource = names.canonical(call.world, str(call.params.get("resource", "")))
    policy: dict[str, Any] = dict(call.params.get("policy", {}))
    if policy.get("version", 0) not in _VERSIONS:
        raise invalid(f"policy.version: {policy['version']} is not 0, 1 or 3.")
    table = _policies(call, resource)
    before = table.get(resource) or {"etag": _etag({})}
    given = policy.pop("etag", "")
    if given and given != before["etag"]:
        raise aborted("There were concurrent policy changes. Please retry the whole read-modify-write.")
    policy["etag"] = _etag(policy)
    table.put(resource, policy)
    return policy


def _etag(policy: Document) -> str:
    return base64.b64encode(hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).digest()[:8]).decode()


def _policies(call: Call, resource: str) -> Any:
    return call.world.table(_POLICIES, everywhere(account_of(call.world, resource)))


@rpc("Locations.GetLocation")
def get_location(call: Call) -> Document:
    """One location."""
    _, location = names.parse(call.name, "projects/*/locations/*")
    return _location(call.world, names.parent_of(call.name), location)


@rpc("Locations.ListLocations")
def list_locations(call: Call) -> Document:
    """The locations that the mock names; any other works as well."""
    parent = call.name.removesuffix("/locations")
    names.parse(parent, "projects/*")
    return page(call, [_location(call.world, parent, location) for location in LOCATIONS], "locations")


def _location(world: World, parent: str, location: str) -> Document:
    full = f"{parent}/locations/{location}"
    labels = {"cloud.googleapis.com/region": location}
    return {"name": shown(world, full), "location_id": location, "labels": labels}
