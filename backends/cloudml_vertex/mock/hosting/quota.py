"""The quota of virtual CPUs that serve: one for each location (switch `serving-cpus-quota`)."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.errors import resource_exhausted
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import machines, rows

Document = dict[str, Any]


def check(world: World, scope: Scope, resources: Document, replaced: Document | None = None) -> None:
    """Raises RESOURCE_EXHAUSTED when the location would have too many with these DedicatedResources, which take the
    place of `replaced`. Charged is max_replica_count (DedicatedResources). Needs the lock."""
    limit = world.switches["serving-cpus-quota"]
    if limit == "none":
        return
    held: list[Document] = [
        one
        for endpoint in world.table(rows.KIND, scope)
        for one in (*endpoint.get("deployed_models", []), *endpoint["_deploying"].values())
    ]
    held += world.table(rows.POOL, scope)
    used = sum(machines.cpus(one["dedicated_resources"]) for one in held if "dedicated_resources" in one)
    freed = machines.cpus(replaced) if replaced is not None else 0
    if used - freed + machines.cpus(resources) > int(limit):
        raise resource_exhausted("The following quotas are exceeded: CustomModelServingCPUsPerProjectPerRegion")
