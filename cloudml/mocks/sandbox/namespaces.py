"""Jobs under their own mounts, processes and, for servers, network: the contract as a container keeps it.

Limits: the rest of the file system is the host's, so programs and libraries are too. Ids are those of the user who runs
the mock. A server's network is private: it reaches nothing but itself and the addresses of `Command.reach`.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from cloudml.errors import Refused
from cloudml.mocks.sandbox.command import Command, Mount, Process
from cloudml.mocks.sandbox.launching import LaunchedProcess, Launcher

_HOSTS = "/etc/hosts"


class NamespaceSandbox:
    """See `command.Sandbox`."""

    kind = "namespaces"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self._launcher = Launcher()
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._closed = False

    def start(self, command: Command) -> Process:
        """Start it; see `command.Sandbox.start`."""
        mounts, ended = command.mounts, _nothing
        if command.hosts:
            hosts = self._write_hosts(command.hosts)
            ended = _Removal(hosts)
            mounts = (*(mount for mount in mounts if mount.target != _HOSTS), Mount(hosts, _HOSTS, read_only=True))
        job = {
            "isolated": True,
            "argv": command.argv,
            "env": dict(command.env),
            "cwd": command.cwd,
            "mounts": [(os.path.abspath(mount.source), mount.target, mount.read_only) for mount in mounts],
            "private": command.port is not None,
            "reach": command.reach if command.port is not None else (),
        }
        return self._launcher.start(job, command.log, _connector(command.port), ended)

    def _write_hosts(self, names: tuple[str, ...]) -> Path:
        with self._lock:
            if self._closed:
                raise Refused("the sandbox is closed", hint="open another")
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="cloudml-sandbox-")
            fd, path = tempfile.mkstemp(dir=self._folder.name)
        try:
            own = Path(_HOSTS).read_text(encoding="utf-8", errors="replace")
        except OSError:
            own = "127.0.0.1 localhost\n"
        with open(fd, "w", encoding="utf-8") as file:
            file.write(f"127.0.0.1 {' '.join(names)}\n{own}")
            os.fchmod(fd, 0o644)
        return Path(path)

    def close(self) -> None:
        """Kill all jobs and the launcher."""
        self._launcher.close()
        with self._lock:
            self._closed = True
            if self._folder is not None:
                self._folder.cleanup()

    def __enter__(self) -> NamespaceSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Removal:
    """Removes a file when the job that saw it has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> None:
        self._path.unlink(missing_ok=True)


def _nothing() -> None:
    """A job that left nothing outside."""


def _connector(port: int | None) -> Callable[[LaunchedProcess, float], socket.socket]:
    def connect(process: LaunchedProcess, timeout: float) -> socket.socket:
        if port is None:
            raise ConnectionRefusedError("the command was started without a port")
        stream = process.make_socket(timeout)
        try:
            stream.settimeout(timeout)
            stream.connect(("127.0.0.1", port))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            stream.close()
            raise
        return stream

    return connect
