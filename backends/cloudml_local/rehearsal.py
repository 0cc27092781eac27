"""One task of an old run, computed again here and now: today's code on the run's real inputs, in plain sight.

Unlike a run it changes no state, uses no cache, and imports the project's files in place, so that a debugger's
breakpoints and a quick edit do what one expects.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.backend.records import DONE, ArtifactRecord, TaskRecord
from cloudml.errors import NotFound, Refused
from cloudml_local.engine.attempts import prepare
from cloudml_local.engine.graph import Graph, Instance
from cloudml_local.engine.jobs import bind
from cloudml_local.engine.values import Registry, Resolver, Unresolved
from cloudml_local.state.inventory import Inventory
from cloudml_local.state.journal import Journal, RunRow
from cloudml_local.state.store import Store, store_error

KINDS = ("processing", "training")


@dataclass(frozen=True)
class _Bench:
    """The part of a driver that binding a job's inputs needs."""

    resolver: Resolver
    document: dict[str, Any]
    store: Store
    inventory: Inventory


def rehearse(
    journal: Journal, store: Store, registry: Registry, row: RunRow, document: dict[str, Any], task: str, folder: Path
) -> TaskRecord:
    """Run the function of a task in a process of its own; its record. Everything it read and made lies in `folder`.

    Raises NotFound when the pipeline of today has no such task, Refused when it cannot be computed alone.
    """
    graph = Graph(document["tasks"])
    resolver = Resolver(graph, row.id, row.scheduled_at, row.parameters, registry, store.path)
    instance = _found(graph, resolver, journal.tasks(row.id), document, task)
    if instance.kind not in KINDS:
        raise Refused(
            f"{task} is a step of kind {instance.kind}, which acts on more than its inputs",
            hint=f"cloudml rerun {row.id} --from {task.partition('[')[0]}",
        )
    bench = _Bench(resolver, document, store, Inventory(journal.database))
    try:
        work = bind(bench, instance).work  # type: ignore[arg-type]
    except Unresolved as problem:
        raise Refused(f"{task} cannot be computed again: {problem}", hint=f"cloudml resume {row.id}") from None
    folder = folder.resolve()
    _link_inputs(folder, work.inputs)
    envelope = prepare(folder / "attempt", row.id, 1, work, [document["source"]], None)
    _execute(envelope, folder / "log", document["root"], instance.reads.get("environment") or {})
    return _record(instance, folder)


def _found(
    graph: Graph, resolver: Resolver, stored: Mapping[str, dict[str, Any]], document: dict[str, Any], task: str
) -> Instance:
    """The task's instance, with all that ended before it in the run as it ended."""
    ready = graph.start()
    while ready:
        instance = ready.pop()
        known = stored.get(instance.id)
        if known is None or instance.id == task:
            continue
        if instance.kind == "map" and known["status"] in (*DONE, "failed"):
            items = resolver.json(instance.reads["items"], instance)
            ready += graph.expand(instance, items)
            continue
        instance.outputs, instance.values = known["outputs"] or {}, known["vals"] or {}
        ready += graph.end(instance, known["status"], known["reason"])
    if task not in graph.instances:
        names = ", ".join(one["id"] for one in document["tasks"])
        raise NotFound(f"the pipeline has no step {task!r} now", hint=f"its steps are {names}; score[2] is an item")
    return graph.instances[task]


def _link_inputs(folder: Path, inputs: list[dict[str, Any]]) -> None:
    """`inputs/<name>` for a person to look at; the step itself reads where the artifacts lie."""
    place = folder / "inputs"
    try:
        place.mkdir(parents=True)
        for one in inputs:
            if "items" in one:
                (place / one["name"]).mkdir()
                for index, item in enumerate(one["items"]):
                    (place / one["name"] / f"{index}-{item['filename']}").symlink_to(item["path"])
            else:
                (place / one["name"]).symlink_to(one["path"])
    except OSError as error:
        raise store_error(error, place) from error


def _execute(envelope: Path, log: Path, root: str, environment: dict[str, str]) -> None:
    with open(log, "wb") as file:
        subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-m", "cloudml.runtime", str(envelope)],
            cwd=root,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        )


def _record(instance: Instance, folder: Path) -> TaskRecord:
    try:
        result = json.loads((folder / "attempt" / "result.json").read_bytes())
    except (OSError, ValueError):
        reason = f"the process ended without a result; see {folder / 'log'}"
        return TaskRecord(instance.id, instance.kind, "failed", attempts=1, reason=reason)
    failure = result["failure"]
    types = {port["name"]: port["type"] for port in instance.reads["outputs"]}
    outputs = tuple(
        ArtifactRecord(one["name"], types[one["name"]], one["format"], one["digest"], one["size"], one["path"])
        for one in result["outputs"]
    )
    return TaskRecord(
        instance.id, instance.kind, "succeeded" if failure is None else "failed", duration=result.get("duration"),
        attempts=1, reason=failure["message"] if failure else "", failure=failure, outputs=outputs,
        values=result["values"],
    )  # fmt: skip
