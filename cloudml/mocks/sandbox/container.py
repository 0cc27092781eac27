"""Jobs in containers of an engine with Docker's command line; DOCKER_HOST chooses the engine.

The image must be there already: nothing is pulled. PATH of `Command.env` is left to the image, whose programs lie
elsewhere than the host's. Without a port the container shares the host's network; with one the port is published on the
loopback, under a number of the engine's choice.

Limits: `Command.reach` needs no port (a bridge does not lead to the host's loopback). The engine's proxy may accept a
connection before the program listens. A mock that is killed itself cannot remove its containers: they are named
`cloudml-mock-…`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
import uuid
import weakref
from pathlib import Path

from cloudml.errors import Refused
from cloudml.mocks.sandbox.command import Command, Process, outer_first

_PREFIX = "cloudml-mock-"
_CLOSING_SECONDS = 30.0
_POLL_SECONDS = 0.05
_SIGNALS = {143: -15, 137: -9}
"""What an engine answers for a program that a signal ended, for the two signals that are sent from here."""


class ContainerSandbox:
    """See `command.Sandbox`."""

    kind = "container"

    def __init__(self, reason: str = "") -> None:
        found = shutil.which("docker")
        if found is None:
            raise Refused("no container engine: there is no program `docker`", hint="use the isolation 'auto'")
        self.reason = reason
        self._docker = found
        self._live: weakref.WeakSet[ContainerProcess] = weakref.WeakSet()
        self._lock = threading.Lock()
        answer = _ask(found, "version", "--format", "{{.Server.Version}}")
        if answer.returncode != 0:
            raise Refused(
                f"the container engine does not answer: {_last_line(answer)}",
                hint="start it, set DOCKER_HOST, or use the isolation 'auto'",
            )

    def start(self, command: Command) -> Process:
        """Start it; see `command.Sandbox.start`."""
        if not command.image:
            raise Refused("a container needs an image", hint="give the job an image")
        if command.reach and command.port is not None:
            raise Refused(
                "a container with a published port cannot reach the loopback of the host",
                hint="use the isolation 'namespaces' for servers that call the mock",
            )
        if _ask(self._docker, "image", "inspect", "--", command.image).returncode != 0:
            raise Refused(
                f"the container engine has no image {command.image}", hint=f"docker pull {command.image}, or build it"
            )
        name = _PREFIX + uuid.uuid4().hex
        with open(command.log, "ab") as log:
            client = subprocess.Popen(  # noqa: S603
                [self._docker, *arguments(command, name)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = ContainerProcess(self._docker, name, client, command.port)
        with self._lock:
            self._live.add(process)
        return process

    def close(self) -> None:
        """Remove all containers that were started here."""
        with self._lock:
            live = list(self._live)
        for process in live:
            process.close()

    def __enter__(self) -> ContainerSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def arguments(command: Command, name: str) -> list[str]:
    """The words after `docker` that run the command. A colon in a path is why mounts are not given as `-v a:b`."""
    words = ["run", "--rm", "--init", "--name", name, "--workdir", command.cwd]
    words += ["--network", "host"] if command.port is None else ["--publish", f"127.0.0.1::{command.port}"]
    for mount in outer_first(command.mounts):
        fields = ["type=bind", f"source={Path(mount.source).resolve()}", f"target={mount.target}"]
        words += ["--mount", ",".join(map(_quoted, [*fields, "readonly"] if mount.read_only else fields))]
    for host in command.hosts:
        words += ["--add-host", f"{host}:127.0.0.1"]
    for variable, value in command.env.items():
        if variable != "PATH":
            words += ["--env", f"{variable}={value}"]
    if command.argv and not command.keep_entrypoint:
        return [*words, "--entrypoint", command.argv[0], "--", command.image, *command.argv[1:]]
    return [*words, "--", command.image, *command.argv]


class ContainerProcess:
    """A container and the client that is attached to it; see `command.Process`. `pid` is the client's."""

    def __init__(self, docker: str, name: str, client: subprocess.Popen[bytes], port: int | None) -> None:
        self.pid = client.pid
        self._docker = docker
        self._name = name
        self._client = client
        self._port = port
        self._sent: set[int] = set()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, or None after `timeout` seconds."""
        try:
            code = self._client.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        signal = _SIGNALS.get(code)
        return signal if signal in self._sent else code

    def terminate(self) -> None:
        """SIGTERM to the program."""
        self._signal(-15, "TERM")

    def kill(self) -> None:
        """SIGKILL to the container."""
        self._signal(-9, "KILL")

    def _signal(self, code: int, name: str) -> None:
        """A container that is only being created does not exist yet for the engine: ask until it takes the signal."""
        self._sent.add(code)
        end = time.monotonic() + _CLOSING_SECONDS
        while self._client.poll() is None and time.monotonic() < end:
            if _ask(self._docker, "kill", "--signal", name, self._name).returncode == 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._client.wait(_POLL_SECONDS)

    def connect(self, timeout: float) -> socket.socket:
        """A stream to the published port. OSError when the container has none yet or nothing listens."""
        if self._port is None:
            raise ConnectionRefusedError("the command was started without a port")
        answer = _ask(self._docker, "port", self._name, f"{self._port}/tcp")
        if answer.returncode != 0 or not answer.stdout.strip():
            raise ConnectionRefusedError(f"the container has no port {self._port} yet")
        host, _, port = answer.stdout.splitlines()[0].rpartition(":")
        return socket.create_connection((host, int(port)), timeout)

    def close(self) -> None:
        """Remove the container, whatever it does."""
        if self._client.poll() is None:
            self.kill()
            _ask(self._docker, "rm", "--force", self._name)
            try:
                self._client.wait(_CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                self._client.kill()
                self._client.wait()


def _ask(docker: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([docker, *words], capture_output=True, text=True, check=False)  # noqa: S603


def _last_line(answer: subprocess.CompletedProcess[str]) -> str:
    return (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]


def _quoted(text: str) -> str:
    """A field of `--mount`, which is a line of CSV."""
    return '"' + text.replace('"', '""') + '"' if {",", '"'} & set(text) else text
