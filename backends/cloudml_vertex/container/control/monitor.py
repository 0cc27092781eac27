"""Monitor an endpoint of Vertex AI's: its baseline; a native monitor is put on it."""

from __future__ import annotations

from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.monitor import begin
from cloudml.jobs.failure import Refused
from cloudml.runtime.drift import Profile
from cloudml_vertex.container import google
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.control import native_baseline
from cloudml_vertex.hosting import native_monitor
from cloudml_vertex.hosting.port import Failed

_SERVED = ("name", "endpoint", "deployment", "model", "version", "digest", "resource")
"""What is kept of a deployment: which version of which model the baseline was put for."""


def monitor(action: Document, context: Context) -> Made:
    """Write the baseline. Raises Refused: the table lacks a feature, or the native monitor cannot be made."""
    endpoint = context.values.json(action["endpoint"])
    served = {key: endpoint[key] for key in _SERVED if key in endpoint}
    if "native" not in action:
        begin(action, context, Bucket(), served)
        return {}
    columns: dict[str, list[Any]] = {}
    profiles: dict[str, Profile] = {}

    def seen(name: str, values: list[Any], profile: Profile) -> None:
        columns[name], profiles[name] = values, profile

    begin(action, context, Bucket(), served, seen)
    data = native_baseline.put(Bucket(), action["native"], columns, profiles)
    try:
        native_monitor.ensure(google, action["native"], data)
    except Failed as error:
        raise Refused(str(error)) from error
    return {}
