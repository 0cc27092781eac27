"""Rolling deployments (v1beta1, `rollout_options`): the new replicas take the place of the previous ones.

Rules: Vertex AI, "Use a rolling deployment to replace a deployed model": the same model, the same dedicated resources
and the same traffic split; other fields are inherited unless they are given; afterwards all traffic of the previous
deployed model is the new one's. One process stands for all replicas, so that they change places at once.
"""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.core.errors import invalid
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import rows

Document = dict[str, Any]
_SURGE = ("max_surge_replicas", "max_surge_percentage")
_UNAVAILABLE = ("max_unavailable_replicas", "max_unavailable_percentage")
_INHERITED = (
    "dedicated_resources",
    "shared_resources",
    "service_account",
    "disable_container_logging",
    "enable_container_logging",
    "enable_access_logging",
)


def check(version: str, endpoint: Document, given: Document, model: str, split: Document) -> None:
    """Raises INVALID_ARGUMENT unless the deployment may replace its previous one; fills in what is inherited."""
    options = given["rollout_options"]
    if version != "v1beta1":
        raise invalid("deployed_model.rollout_options is a field of v1beta1 only.")
    previous = rows.deployed(endpoint, options.get("previous_deployed_model", ""))
    if previous is None:
        raise invalid("rollout_options.previous_deployed_model must be the ID of a DeployedModel of the endpoint.")
    if previous["model"] != model:
        raise invalid("A rolling deployment replaces a deployed model with a version of the same model.")
    _check_pace(options)
    for field in _INHERITED:
        given.setdefault(field, previous.get(field))
        if given[field] is None:
            del given[field]
    for field in ("dedicated_resources", "shared_resources"):
        if _plain(given.get(field)) != _plain(previous.get(field)):
            raise invalid(f"A rolling deployment has the same {field} as the previous deployment.")
    if split and split != endpoint.get("traffic_split", {}):
        raise invalid("A rolling deployment has the same traffic split as the previous deployment.")
    options["revision_number"] = 1 + max(
        (row.get("rollout_options", {}).get("revision_number", 1) for row in endpoint["deployed_models"]), default=1
    )


def _check_pace(options: Document) -> None:
    if not any(options.get(field, 0) > 0 for field in (*_SURGE, *_UNAVAILABLE)):
        raise invalid("rollout_options: one of max_surge and max_unavailable must be more than 0.")
    for field in (*_SURGE, *_UNAVAILABLE):
        most = 100 if field.endswith("percentage") else 2**31 - 1
        if not 0 <= options.get(field, 0) <= most:
            raise invalid(f"rollout_options.{field}: the value is from 0 to {most}.")


def finish(world: World, endpoint: Document, made: Document) -> None:
    """Move the previous deployed model's traffic to the one that was made. Needs the lock."""
    previous = made["rollout_options"]["previous_deployed_model"]
    split = dict(endpoint.get("traffic_split", {}))
    if previous in split:
        split[made["id"]] = split.pop(previous)
    endpoint["traffic_split"] = split
    rest = endpoint["deployed_models"]
    if world.switches["rolled-deployed-model"] == "removed":
        rest = [row for row in rest if row["id"] != previous]
    for row in rest:
        if row["id"] == previous:
            row["status"] = {"available_replica_count": 0, "last_update_time": world.stamp()}
    endpoint["_serving"].pop(previous, None)
    endpoint["deployed_models"] = [*rest, made]


def _plain(resources: Any) -> Any:
    """Resources as far as they must be the same: what a request leaves out has its default."""
    if not isinstance(resources, dict):
        return resources
    machine = resources.get("machine_spec") or {}
    least = resources.get("min_replica_count")
    return {
        **resources,
        "machine_spec": {"machine_type": "n1-standard-2", **machine},
        "max_replica_count": resources.get("max_replica_count", least),
    }
