"""How far a launcher has come, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudml_vertex.mock.pipelines.launchers.command import Launch

Document = dict[str, Any]
Call = Callable[[str, Document], Document]
"""Calls an RPC by "Service.Method" with a request's document; gives the response's, raises GoogleError."""


@dataclass(frozen=True)
class Progress:
    """`state` is to be kept and given to `poll`; `files` (path -> text) are to be written now.

    `resource` is the job or the operation that is waited for. With `error` the launcher has failed.
    """

    state: Document
    resource: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    error: str | None = None


class Failed(Exception):
    """The launcher would end with this error."""


def gcp_resources(launch: Launch, kind: str, name: str) -> dict[str, str]:
    """The file that names what was started: a GcpResources message as JSON, as the components document it."""
    listed = {"resources": [{"resourceType": kind, "resourceUri": launch.prefix + name}]}
    return {launch.gcp_resources: json.dumps(listed, indent=2)}


def output_artifacts(launch: Launch, artifacts: Mapping[str, tuple[str, Document]]) -> dict[str, str]:
    """The executor output with URI and metadata of artifacts, as far as the component declares them."""
    outputs = launch.executor_input.get("outputs", {})
    planned = outputs.get("artifacts", {})
    told = {
        name: {"artifacts": [{**planned[name]["artifacts"][0], "uri": uri, "metadata": metadata}]}
        for name, (uri, metadata) in artifacts.items()
        if planned.get(name, {}).get("artifacts")
    }
    return {str(outputs["outputFile"]): json.dumps({"artifacts": told})} if "outputFile" in outputs else {}
