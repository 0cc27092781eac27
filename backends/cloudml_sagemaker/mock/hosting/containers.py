"""A model that runs: its container, or several that a request passes one after the other or is addressed to."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting.container import ModelContainer, Place, StartFailed
from cloudml_sagemaker.mock.hosting.modeldata import ModelDataFailed
from cloudml_sagemaker.mock.hosting.wire import Reply

__all__ = ["InvocationFailed", "ModelDataFailed", "ModelServer", "Reply", "StartFailed", "definitions"]

DEFAULT_PATIENCE = 240.0
"""Seconds to become healthy: four minutes (developer guide, "How Your Container Should Respond to Health Check")."""

_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {name}. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)
_EXITED = "An error occurred while handling request as the model process exited."


class InvocationFailed(Exception):
    """A container gave no good answer: its `status` (0 when there was none), the `text`, and the `container`'s name."""

    def __init__(self, container: str, status: int, text: str) -> None:
        super().__init__(f"{container}: {status} {text}")
        self.container = container
        self.status = status
        self.text = text


@dataclass
class Loaded:
    """The models that a container of many models holds, the one asked for least recently first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    names: dict[str, None] = field(default_factory=dict)
    restarts: int = 0


def definitions(model: Document) -> list[tuple[str, Document]]:
    """The model's containers with their names: a single one is `primary`, others are by hostname or number."""
    if model.get("PrimaryContainer"):
        return [("primary", model["PrimaryContainer"])]
    containers = model.get("Containers") or []
    return [
        (definition.get("ContainerHostname") or f"container-{number}", definition)
        for number, definition in enumerate(containers, 1)
    ]


class ModelServer:
    """The processes of one model. Batch transform and endpoints use it alike.

    `folder` is its own (made, and removed by `stop`); logs go to `group`, to `stream` or, with several containers,
    `stream/NAME`; `environment` is added to that of the model.
    """

    def __init__(
        self,
        world: World,
        scope: Scope,
        model: Document,
        *,
        folder: Path,
        group: str,
        stream: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        named = definitions(model)
        self._folder = folder
        self.direct = (model.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct"
        self.containers = [
            ModelContainer(
                world,
                scope,
                definition,
                name,
                Place(folder / name, group, stream if len(named) == 1 else f"{stream}/{name}"),
                _environment(definition, environment or {}),
            )
            for name, definition in named
        ]

        self.loaded = Loaded()
        self._busy = 0
        self._free = threading.Condition()

    @property
    def healthy(self) -> bool:
        """Whether every container is."""
        return all(container.healthy for container in self.containers)

    @property
    def busy(self) -> int:
        """Requests under way, as told by `enter` and `leave`."""
        return self._busy

    def enter(self) -> None:
        """A request is about to come: `drain` waits for it."""
        with self._free:
            self._busy += 1

    def leave(self) -> None:
        """That request is over."""
        with self._free:
            self._busy -= 1
            self._free.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait, at most so many real seconds, until no request is under way; whether none is."""
        with self._free:
            return self._free.wait_for(lambda: self._busy == 0, seconds)

    def start(self, patience: float = DEFAULT_PATIENCE) -> None:
        """Start everything, wait until it is healthy. Raises StartFailed, ModelDataFailed, with all stopped again."""
        shutil.rmtree(self._folder, ignore_errors=True)  # what a mock that was killed has left
        try:
            for container in self.containers:
                container.place.folder.mkdir(parents=True, exist_ok=True)
                container.start(patience)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything. May be called twice, and from another thread while `start` waits."""
        for container in self.containers:
            container.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        target: str = "",
    ) -> Reply:
        """Ask the model: through all containers in their order, or (`target`, or an endpoint of mode Direct) one.

        `timeout` in seconds for each container. Raises InvocationFailed for anything but an answer with a 2xx status.
        """
        reply = Reply(200, {}, body)
        sent = dict(headers or {})
        for container in self._asked(target):
            with self._open(container, method, path, reply.body, sent, timeout) as response:
                reply = _read(container, response)
            if reply.status // 100 != 2:
                raise InvocationFailed(container.name, reply.status, reply.body.decode("utf-8", "replace"))
            sent["Content-Type"] = reply.media
        return reply

    @contextmanager
    def stream(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout: float, target: str = ""
    ) -> Iterator[http.client.HTTPResponse]:
        """As `request` with POST, but the last container's answer is still to be read. Raises InvocationFailed."""
        *before, last = self._asked(target)
        sent = dict(headers)
        for container in before:
            reply = self.request("POST", path, body, sent, timeout, container.name)
            body, sent["Content-Type"] = reply.body, reply.media
        with ExitStack() as stack:
            response = stack.enter_context(self._open(last, "POST", path, body, sent, timeout))
            if response.status // 100 != 2:
                reply = _read(last, response)
                raise InvocationFailed(last.name, reply.status, reply.body.decode("utf-8", "replace"))
            yield response

    def _asked(self, target: str) -> list[ModelContainer]:
        if not target:
            return self.containers
        return [container for container in self.containers if container.name == target]

    @contextmanager
    def _open(
        self,
        container: ModelContainer,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Iterator[http.client.HTTPResponse]:
        wire = container.wire
        if wire is None:
            raise InvocationFailed(container.name, 0, _EXITED)
        with ExitStack() as stack:
            try:
                response = stack.enter_context(wire.open(method, path, body, headers, timeout))
            except TimeoutError:
                raise InvocationFailed(container.name, 0, _TIMED_OUT.format(name=container.name)) from None
            except (OSError, http.client.HTTPException):
                raise InvocationFailed(container.name, 0, _EXITED) from None
            yield response


def _read(container: ModelContainer, response: http.client.HTTPResponse) -> Reply:
    try:
        body = response.read()
    except TimeoutError:
        raise InvocationFailed(container.name, 0, _TIMED_OUT.format(name=container.name)) from None
    except (OSError, http.client.HTTPException):
        raise InvocationFailed(container.name, 0, _EXITED) from None
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def _environment(definition: Document, more: Mapping[str, str]) -> dict[str, str]:
    """What AWS sets beside the model's own: the port (developer guide, inference pipelines), many models or one."""
    given = {"SAGEMAKER_BIND_TO_PORT": "8080", "SAGEMAKER_SAFE_PORT_RANGE": "8081-8100"}
    if definition.get("Mode") == "MultiModel":
        given["SAGEMAKER_MULTI_MODEL"] = "true"
    return {**given, **(definition.get("Environment") or {}), **more}
