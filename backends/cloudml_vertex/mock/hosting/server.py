"""A model server: a container under Vertex AI's contract for predictions, kept alive, its port spoken to.

Contract: Vertex AI, "Custom container requirements for inference": variables AIP_*, the first of `ports` (8080), GET of
the health route answers 200 within 10 seconds, POST of the predict route takes {"instances", "parameters"}.
"""

from __future__ import annotations

import http.client
import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.mocks.sandbox import Process
from cloudml.mocks.served import NotServing, Served
from cloudml.mocks.store import Scope
from cloudml.mocks.tail import Tail
from cloudml.mocks.wire import Reply, Wire
from cloudml_vertex.mock.core import container, logs, names
from cloudml_vertex.mock.core.errors import GoogleError, failed_precondition, invalid
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
PORT = 8080
HEALTH_SECONDS = 10.0
STOP_SECONDS = 10.0
DRAIN_SECONDS = 10.0
"""Real seconds that requests on their way have to end before a container is stopped."""
_LOOK = 0.2
_KILLED = {-9, 137}
_LOGS = "Model server logs can be found at https://console.cloud.google.com/logs/viewer?project={project}"
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


class Unreachable(Exception):
    """The server gave no answer: `timed_out` when it took too long."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass(frozen=True)
class Plan:
    """What is to be served. `spec` is the ModelContainerSpec, `artifacts` a gs:// directory or ""."""

    name: str
    spec: Document
    artifacts: str
    variables: Mapping[str, str]
    """AIP_* variables that tell the container what it is."""
    predict_route: str
    health_route: str
    resource: Document = field(default_factory=dict)
    """The monitored resource of its logs; {}: they are not sent."""
    labels: Mapping[str, str] = field(default_factory=dict)
    log_name: str = "aiplatform.googleapis.com/prediction_container"


def plan(
    world: World,
    name: str,
    spec: Document,
    artifacts: str,
    *,
    endpoint_id: str,
    deployed_id: str,
    extra: Mapping[str, str],
) -> Plan:
    """The plan of a container specification; routes default as ModelContainerSpec says."""
    default = f"/v1/endpoints/{endpoint_id}/deployedModels/{deployed_id}"
    predict = spec.get("predict_route") or f"{default}:predict"
    probed = (spec.get("health_probe") or {}).get("http_get", {}).get("path")
    alone = f"{default}:predict" if world.switches["default-health-route"] == "predict" else default
    health = spec.get("health_route") or probed or alone
    variables = {
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HTTP_PORT": str(port(spec)),
        "AIP_HEALTH_ROUTE": health,
        "AIP_PREDICT_ROUTE": predict,
        "AIP_STORAGE_URI": artifacts,
        "AIP_ENDPOINT_ID": endpoint_id,
        "AIP_DEPLOYED_MODEL_ID": deployed_id,
        **extra,
    }
    return Plan(name, spec, artifacts, variables, predict, health)


def variables(model: str, version: str, machine: Document) -> dict[str, str]:
    """What a container is told of its model (full name, "" for one that is not registered) and of its machine."""
    found = {
        "AIP_PROJECT_NUMBER": model.split("/")[1] if model else "",
        "AIP_MACHINE_TYPE": machine.get("machine_type", ""),
        "AIP_ACCELERATOR_TYPE": machine.get("accelerator_type", ""),
        "AIP_MODEL_NAME": names.id_of(model),
        "AIP_VERSION_NAME": version,
    }
    return {key: value for key, value in found.items() if value}


def port(spec: Document) -> int:
    """The first of its ports."""
    ports = spec.get("ports") or [{}]
    return int(ports[0].get("container_port") or PORT)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced, `$$` meaning one dollar, an unknown name left as it is (Kubernetes' rule)."""

    def one(found: re.Match[str]) -> str:
        name = found[1]
        return "$" if name is None else variables.get(name, found[0])

    return _REFERENCE.sub(one, text)


def environment(spec: Document, given: Mapping[str, str]) -> dict[str, str]:
    """The container's variables: its own, which may refer to Vertex AI's and to earlier ones, then Vertex AI's."""
    found = dict(given)
    for variable in spec.get("env", []):
        found[variable["name"]] = expand(variable.get("value", ""), found)
    return {**found, **given}


class ModelServer:
    """The process of one model. Endpoints and batch prediction use it alike.

    `folder` is its own: made by `start`, removed by `stop`.
    """

    def __init__(self, world: World, scope: Scope, what: Plan, folder: Path) -> None:
        self.plan = what
        self._world = world
        self._scope = scope
        self._folder = folder
        self._env = environment(what.spec, what.variables)
        self._tail: Tail | None = None
        self._busy = 0
        self._idle = threading.Condition()
        self._served = Served(what.name, self._launch, what.health_route, world.closing, check_seconds=HEALTH_SECONDS)

    @property
    def wire(self) -> Wire | None:
        """The way to it, while it is up."""
        return self._served.wire if self._served.healthy else None

    @property
    def process(self) -> Process | None:
        """What runs now."""
        return self._served.process

    @property
    def restarts(self) -> int:
        """How often it ended by itself."""
        return self._served.restarts

    def start(self, patience: float) -> None:
        """Start it and wait at most `patience` real seconds until it is healthy. Raises GoogleError in Vertex AI's
        words, with nothing left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        log = self._folder / "log"
        log.touch()
        if self.plan.resource:
            what = self.plan
            self._tail = logs.ship(
                self._world, self._scope, what.resource, what.log_name, log, labels=dict(what.labels)
            )
        try:
            self._served.start(patience)
        except container.ImageRefused as error:
            self.stop()
            raise invalid(f"The container of {self.plan.name} cannot be started: {error}") from error
        except NotServing as error:
            self.stop()
            raise _failure(self._world, self._scope, error) from error
        except BaseException:
            self.stop()
            raise

    def enter(self) -> None:
        """A request is on its way to it; `leave` must follow."""
        with self._idle:
            self._busy += 1

    def leave(self) -> None:
        """A request has ended."""
        with self._idle:
            self._busy -= 1
            self._idle.notify_all()

    def stop(self) -> None:
        """Stop it, once the requests on their way have ended. May be called twice."""
        limit = time.monotonic() + DRAIN_SECONDS
        with self._idle:
            while self._busy and time.monotonic() < limit and not self._world.closing.is_set():
                self._idle.wait(_LOOK)
        self._served.stop(STOP_SECONDS)
        if self._tail is not None:
            self._tail.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of idle connections: the mock goes down."""
        wire = self._served.wire
        if wire is not None:
            wire.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """POST to the server. Raises Unreachable."""
        wire = self.wire
        if wire is None:
            raise Unreachable("the model server is not running")
        try:
            return wire.request("POST", path, body, headers, timeout)
        except TimeoutError:
            raise Unreachable(f"the model server did not answer within {timeout:g} s", timed_out=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the connection to the model server broke: {error}") from None

    def _launch(self) -> Process:
        spec = self.plan.spec
        words: Sequence[str] = [expand(word, self._env) for word in spec.get("command", [])]
        return container.start(
            self._world,
            self._scope,
            image=spec.get("image_uri", ""),
            command=words,
            args=[expand(word, self._env) for word in spec.get("args", [])],
            env=self._env,
            log=self._folder / "log",
            port=port(spec),
        )


def out_of_memory(world: World, scope: Scope) -> GoogleError:
    """What a deployment says when its container needed too much memory."""
    return failed_precondition(
        'Model server terminated: model server container terminated: exit_code: 137 reason: "OOMKilled". '
        f"{_where(world, scope)}"
    )


def never_ready(world: World, scope: Scope) -> GoogleError:
    """What a deployment says when the health route never answered 200."""
    return failed_precondition(
        "Model server never became ready. Please validate that your model file or container configuration are valid. "
        f"{_where(world, scope)}"
    )


def _failure(world: World, scope: Scope, error: NotServing) -> GoogleError:
    if error.code in _KILLED:
        return out_of_memory(world, scope)
    if error.code is not None:
        return failed_precondition(f"Model server exited unexpectedly. {_where(world, scope)}")
    return never_ready(world, scope)


def _where(world: World, scope: Scope) -> str:
    return _LOGS.format(project=world.project_id(scope.account))
