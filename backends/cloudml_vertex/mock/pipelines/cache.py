"""Execution caching: the outputs of an earlier task of the same pipeline that was asked to do the same.

The key is that of https://cloud.google.com/vertex-ai/docs/pipelines/configure-caching: the pipeline's name, the input
parameters, the ids of the input artifacts, the names of the outputs, and the component's image, command, arguments and
environment, in order. Neither resources nor retries belong to it; entries never expire.
"""

from __future__ import annotations

import hashlib
import json

from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import lineage, records
from cloudml_vertex.mock.pipelines.definition.model import Component, Container
from cloudml_vertex.mock.pipelines.room import Run, values_of


def key(run: Run, record: Document, component: Component, container: Container) -> str:
    """The cache's key of a task that is about to start."""
    inputs = values_of(record["_inputs"])
    said = {
        "pipeline": run.definition.name,
        "parameters": dict(inputs.parameters),
        "artifacts": {
            name: [artifact.get("name") or artifact.get("uri") for artifact in listed]
            for name, listed in inputs.artifacts.items()
        },
        "outputs": [sorted(component.output_parameters), sorted(component.output_artifacts)],
        "container": [container.image, list(container.command), list(container.args), list(container.env)],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def hit(run: Run, record: Document) -> Document | None:
    """The entry of the task's key: `_outputs` and the name of the `execution` that made them; None without one.

    An execution that was deleted from ML Metadata is no hit any more.
    """
    found = run.world.table(records.CACHE, run.scope).get(record["_cache"])
    if found is None or ("execution" in found and not lineage.exists(run, found["execution"])):
        return None
    return found


def keep(run: Run, record: Document) -> None:
    """Remember a task that has succeeded by itself, if its `_cache` holds a key: the newest one counts."""
    if "_cache" in record:
        entry: Document = {"_outputs": record["_outputs"], "job": record["_job"], "path": record["_path"]}
        if record.get("_recorded"):
            entry["execution"] = record["execution"]["name"]
        run.world.table(records.CACHE, run.scope).put(record["_cache"], entry)
