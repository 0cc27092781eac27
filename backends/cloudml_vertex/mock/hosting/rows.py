"""Endpoints in the store: found, kept with their etag; what is private in them.

`_serving` has, by deployed id, what a server is started from (it outlives the model and a restart of the mock);
`_deploying` the deployed models that are on their way.
"""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import etags, names
from cloudml_vertex.mock.core.errors import not_found
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
KIND = "Endpoint"
POOL = "DeploymentResourcePool"
PATTERN = "projects/*/locations/*/endpoints/*"


def scope_of(name: str) -> Scope:
    """Whose endpoint it is. Raises INVALID_ARGUMENT."""
    project, location, _ = names.parse(name, PATTERN)
    return Scope(project, location)


def find(world: World, name: str) -> Document:
    """The endpoint as in the store: needs the lock. Raises NOT_FOUND, INVALID_ARGUMENT."""
    found = world.table(KIND, scope_of(name)).get(name)
    if found is None:
        raise not_found(name)
    return found


def keep(world: World, endpoint: Document, *, touch: bool = True) -> Document:
    """Keep a new or changed endpoint. Needs the lock."""
    if touch:
        endpoint["update_time"] = world.stamp()
    endpoint["etag"] = etags.of(endpoint)
    return world.table(KIND, scope_of(endpoint["name"])).put(endpoint["name"], endpoint)


def deployed(endpoint: Document, identifier: str) -> Document | None:
    """The DeployedModel of that id."""
    rows: list[Document] = endpoint.get("deployed_models", [])
    return next((row for row in rows if row["id"] == identifier), None)


def ids(endpoint: Document) -> list[str]:
    """The ids of its deployed models."""
    return [row["id"] for row in endpoint.get("deployed_models", [])]


def labels_of(endpoint: str) -> dict[str, str]:
    """The labels of the monitored resource aiplatform.googleapis.com/Endpoint."""
    project, location, identifier = names.parse(endpoint, PATTERN)
    return {"resource_container": project, "location": location, "endpoint_id": identifier}


RESOURCE = "aiplatform.googleapis.com/Endpoint"
