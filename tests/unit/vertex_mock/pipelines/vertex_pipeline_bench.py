"""A world without servers in which pipelines run and their custom jobs are Python functions; specs built by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.bus import Bus, Change
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.images import ImageMap
from cloudml.mocks.sandbox import open_sandbox
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock import pipelines
from cloudml_vertex.mock.core import container, gcs, lro
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.errors import not_found
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.operations import OPERATIONS, Call, Operation
from cloudml_vertex.mock.core.world import World

HERE = Scope("123456789", "us-central1")
PARENT = "projects/123456789/locations/us-central1"
OVER = ("SUCCEEDED", "FAILED", "CANCELLED")

Ran = Callable[["Bench", list[str], dict[str, str]], int | None]


class Bench:
    """A world, what its containers do by image (an exit code; None: not over yet), and what tests do with it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.changed = threading.Condition()
        self.seen: set[tuple[str, str]] = set()
        self.ran: list[tuple[str, list[str]]] = []
        self.jobs: list[dict[str, Any]] = []
        self.images: dict[str, Ran] = {"write": _write, "fail": lambda *_: 1, "hang": lambda *_: None}
        for method in ("CreateCustomJob", "GetCustomJob", "ListCustomJobs", "CancelCustomJob"):
            name = f"JobService.{method}"
            patch.setitem(OPERATIONS, name, Operation(name, getattr(self, f"_{method}")))
        self.world = self.open()
        gcs.make_bucket(self.world, "bucket")

    def open(self) -> World:
        clock = HeldClock()
        world = World(
            store=Store(self.folder / "state.db"),
            clock=clock,
            bus=Bus(clock),
            workers=Workers(clock, 8),
            faults=Faults(KINDS),
            switches=Switches(SWITCHES),
            images=ImageMap((), container.rules()),
            sandbox=open_sandbox("auto"),
            folder=self.folder,
        )
        pipelines.install(world)
        lro.resume(world)
        world.bus.subscribe(self._note)
        world.bus.start()
        return world

    def close(self) -> None:
        world = self.world
        world.closing.set()
        for call in world.at_close:
            call()
        world.clock.close()
        world.workers.close()
        world.sandbox.close()
        world.workers.join(10)
        world.bus.close()
        with world.lock:
            world.store.close()

    def reopen(self) -> None:
        """As if the mock had been killed and started again."""
        self.close()
        self.seen.clear()
        self.world = self.open()

    def call(self, method: str, version: str = "v1", **params: Any) -> dict[str, Any]:
        return self.world.call(HERE, f"PipelineService.{method}", params, version)

    def submit(self, spec: Any, identifier: str = "", version: str = "v1", **job: Any) -> str:
        config = {"gcs_output_directory": "gs://bucket/root", **job.pop("runtime_config", {})}
        document = {"runtime_config": config, **job}
        if spec is not None:
            document["pipeline_spec"] = spec.document()
        params: dict[str, Any] = {"pipeline_job": document}
        if identifier:
            params["pipeline_job_id"] = identifier
        return str(self.call("CreatePipelineJob", version, **params)["name"])

    def run(self, spec: Any, *args: Any, **job: Any) -> dict[str, Any]:
        """The job at its end."""
        return self.ended(self.submit(spec, *args, **job))

    def ended(self, name: str) -> dict[str, Any]:
        self.until(name, *(f"PIPELINE_STATE_{state}" for state in OVER))
        return self.call("GetPipelineJob", name=name)

    def until(self, name: str, *states: str) -> None:
        """Wait until a change of `name` to one of the states was told."""
        with self.changed:
            reached = self.changed.wait_for(lambda: any((name, state) in self.seen for state in states), 10)
        assert reached, [state for one, state in self.seen if one.startswith(name)]

    def settle(self) -> None:
        """Wait until nothing is under way at this time of the clock."""
        self.world.clock.advance(0)

    def _note(self, change: Change) -> None:
        with self.changed:
            self.seen.add((change.name, change.after))
            self.changed.notify_all()

    def _CreateCustomJob(self, call: Call) -> dict[str, Any]:
        table, given = call.table("CustomJob"), call.params["custom_job"]
        name = f"{call.parent}/customJobs/{call.world.unique_number('job')}"
        document = table.put(name, {**given, "name": name, "state": "JOB_STATE_PENDING"})
        self.jobs.append(document)
        self._submit(call.world, call.scope, document)
        return document

    def _work(self, world: World, scope: Scope, name: str, spec: dict[str, Any]) -> None:
        table = world.table("CustomJob", scope)
        args = list(spec.get("args", ()))
        self.ran.append((spec["image_uri"], args))
        with world.lock:
            world.change(table, name, "state", "JOB_STATE_RUNNING")
        code = self.images[spec["image_uri"]](self, args, {one["name"]: one["value"] for one in spec.get("env", ())})
        if code is not None:
            self.end(name, "SUCCEEDED" if code == 0 else "FAILED", code, scope)

    def end_in(self, job: dict[str, Any], state: str) -> None:
        """Bring a custom job of whatever project to its end."""
        self.end(job["name"], state, 0, Scope(job["name"].split("/")[1], job["name"].split("/")[3]))

    def end(self, name: str, state: str, code: int = 0, scope: Scope = HERE) -> None:
        """Bring a custom job to its end."""
        more: dict[str, Any] = {}
        if state == "FAILED":
            text = f"The replica workerpool0-0 exited with a non-zero status of {code}."
            more["error"] = {"code": 9, "message": text}
        with self.world.lock:
            table = self.world.table("CustomJob", scope)
            if table[name]["state"] in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}:
                self.world.change(table, name, "state", f"JOB_STATE_{state}", **more)

    def resume_jobs(self) -> None:
        """Run what a store from before holds unfinished, as the jobs' own room would."""
        with self.world.lock:
            for document in self.world.table("CustomJob", HERE):
                if document["state"] in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}:
                    self.jobs.append(document)
                    self._submit(self.world, HERE, document)

    def _submit(self, world: World, scope: Scope, document: dict[str, Any]) -> None:
        name, spec = document["name"], document["job_spec"]["worker_pool_specs"][0]["container_spec"]
        world.workers.submit(lambda: self._work(world, scope, name, spec), name)

    def _GetCustomJob(self, call: Call) -> dict[str, Any]:
        found = call.table("CustomJob").get(call.name)
        if found is None:
            raise not_found(call.name)
        return found

    def _ListCustomJobs(self, call: Call) -> dict[str, Any]:
        return {
            "custom_jobs": [
                row for row in call.table("CustomJob") if f'"{row["display_name"]}"' in call.params["filter"]
            ]
        }

    def _CancelCustomJob(self, call: Call) -> None:
        self.end(call.name, "CANCELLED", 0, call.scope)


def _write(bench: Bench, args: list[str], _: dict[str, str]) -> int:
    """The container `write`: pairs of a path below /gcs and a text to put there."""
    for path, text in zip(args[::2], args[1::2], strict=True):
        gcs.write(bench.world, path.replace("/gcs/", "gs://", 1), text.encode())
    return 0


@dataclass
class Spec:
    """Builds a PipelineSpec by hand: `inputs`, `outputs` are types by name ("artifact" for an artifact)."""

    name: str = "pipe"
    components: dict[str, Any] = field(default_factory=dict)
    executors: dict[str, Any] = field(default_factory=dict)
    root: dict[str, Any] = field(default_factory=dict)

    def container(self, name: str, image: str = "write", *args: str, **io: Any) -> str:
        label = f"exec-{name}"
        self.executors[label] = {"container": {"image": image, "args": list(args), **io.pop("more", {})}}
        return self._component(name, {"executorLabel": label}, **io)

    def writer(self, name: str, text: str = "x", type_: str = "STRING", **io: Any) -> str:
        """A container that writes `text` to its output parameter `out`."""
        path = "{{$.outputs.parameters['out'].output_file}}"
        return self.container(name, "write", path, text, outputs={"out": type_}, **io)

    def importer(self, name: str, uri: str, reimport: bool = False) -> str:
        kind = {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
        self.executors[f"exec-{name}"] = {
            "importer": {"artifactUri": {"constant": uri}, "typeSchema": kind, "reimport": reimport}
        }
        return self._component(name, {"executorLabel": f"exec-{name}"}, outputs={"artifact": "artifact"})

    def dag(self, name: str, tasks: dict[str, Any], returns: dict[str, Any] | None = None, **io: Any) -> str:
        return self._component(name, {"dag": self._dag(tasks, returns)}, **io)

    def main(self, tasks: dict[str, Any], returns: dict[str, Any] | None = None, **io: Any) -> Spec:
        self.root = {"dag": self._dag(tasks, returns), **_io(**io)}
        return self

    def document(self) -> dict[str, Any]:
        return {
            "pipelineInfo": {"name": self.name},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "components": self.components,
            "deploymentSpec": {"executors": self.executors},
            "root": self.root,
        }

    def _component(self, name: str, implementation: dict[str, Any], **io: Any) -> str:
        self.components[name] = {**implementation, **_io(**io)}
        return name

    @staticmethod
    def _dag(tasks: dict[str, Any], returns: dict[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = {"tasks": {key: {"taskInfo": {"name": key}, **one} for key, one in tasks.items()}}
        if returns:
            found["outputs"] = {"parameters": returns}
        return found


def _io(inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side, given in (("inputDefinitions", inputs), ("outputDefinitions", outputs)):
        for name, kind in (given or {}).items():
            section = found.setdefault(side, {})
            if kind == "artifact":
                schema = {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
                section.setdefault("artifacts", {})[name] = {"artifactType": schema}
            else:
                section.setdefault("parameters", {})[name] = kind if isinstance(kind, dict) else {"parameterType": kind}
    return found


def task(
    component: str, *after: str, condition: str = "", cache: bool = False, retry: Any = None, **more: Any
) -> dict[str, Any]:
    """A task. `given`: its parameters: a constant, ("task", "output"), or "@input" of the DAG around it."""
    found: dict[str, Any] = {"componentRef": {"name": component}, "cachingOptions": {"enableCache": cache}}
    upstream = list(after)
    inputs: dict[str, Any] = {}
    for name, value in more.pop("given", {}).items():
        if isinstance(value, tuple):
            upstream.append(value[0])
            said: Any = {"taskOutputParameter": {"producerTask": value[0], "outputParameterKey": value[1]}}
        elif isinstance(value, str) and value.startswith("@"):
            said = {"componentInputParameter": value[1:]}
        else:
            said = {"runtimeValue": {"constant": value}}
        inputs.setdefault("parameters", {})[name] = said
    for name, (producer, key) in more.pop("artifacts", {}).items():
        upstream.append(producer)
        inputs.setdefault("artifacts", {})[name] = {
            "taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}
        }
    for name, producer in more.pop("final", {}).items():
        inputs.setdefault("parameters", {})[name] = {"taskFinalStatus": {"producerTask": producer}}
    if inputs:
        found["inputs"] = inputs
    if upstream:
        found["dependentTasks"] = list(dict.fromkeys(upstream))
    trigger = {"condition": condition, "strategy": more.pop("strategy", "")}
    if any(trigger.values()):
        found["triggerPolicy"] = {key: value for key, value in trigger.items() if value}
    if retry is not None:
        found["retryPolicy"] = retry
    return {**found, **more}
