"""An endpoint goes back to what it served before: one change of its traffic split, to a model that is still deployed.

Only the endpoint that was looked at is changed: by its etag, so that a change of somebody else's meanwhile is an error.
"""

from __future__ import annotations

from typing import Any

from cloudml_vertex.hosting import native_monitor
from cloudml_vertex.hosting.port import Document, Failed, Google


class NothingBefore(Failed):
    """There is nothing to go back to."""


def rollback(google: Google, name: str) -> Document:
    """The endpoint of that resource name, as it is after it. Raises NothingBefore.

    All requests go to the deployed model that was deployed last before the one that serves most of them now.
    """
    endpoint = google.find("EndpointService.GetEndpoint", name=name)
    if endpoint is None:
        raise NothingBefore(f"there is no endpoint {name}")
    target = before(endpoint)
    split = {str(one["id"]): 100 if one["id"] == target else 0 for one in endpoint["deployed_models"]}
    patch = {"name": name, "traffic_split": split, "etag": endpoint.get("etag", "")}
    changed = google.call("EndpointService.UpdateEndpoint", endpoint=patch, update_mask="traffic_split")
    native_monitor.follow(google, changed)
    return changed


def before(endpoint: Document) -> str:
    """The id of the deployed model to go back to. Raises NothingBefore."""
    rows: list[dict[str, Any]] = sorted(endpoint.get("deployed_models", ()), key=lambda one: str(one["create_time"]))
    split = endpoint.get("traffic_split", {})
    live = max(rows, key=lambda one: int(split.get(one["id"], 0)), default=None)
    older = rows[: rows.index(live)] if live is not None else []
    if not older:
        raise NothingBefore(
            f"the endpoint {endpoint.get('display_name', '')} has no model deployed that it served before: deploy the "
            "version that is wanted"
        )
    return str(older[-1]["id"])
