"""What is to run: a command with its environment, its mounts and its network, as every kind of sandbox takes it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cloudml.errors import RunFailed

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host that stands at `target` inside.

    `target` is an absolute path without `.`, `..` or doubled slashes; anything else is a ValueError. A relative
    `source` is one of the mock's working folder.
    """

    source: Path
    target: str
    read_only: bool = False

    def __post_init__(self) -> None:
        parts = self.target.split("/")
        if parts[0] or len(parts) < 2 or any(part in {"", ".", ".."} for part in parts[1:]) or "\0" in self.target:
            raise ValueError(f"{self.target!r} is no plain absolute path below /")


@dataclass(frozen=True)
class Command:
    """A program and the contract that it runs under. ValueError for what no kernel or resolver would take."""

    argv: tuple[str, ...]
    """The program and its words; a program without a slash is searched for in PATH of `env`."""
    env: Mapping[str, str]
    """The complete environment."""
    mounts: tuple[Mount, ...]
    log: Path
    """Where stdout and stderr go, merged, appended as they are written."""
    cwd: str = "/"
    hosts: tuple[str, ...] = ()
    """Names that mean 127.0.0.1 inside."""
    port: int | None = None
    """The TCP port at which the program serves inside; the network is then private."""
    reach: tuple[tuple[str, int], ...] = ()
    """Addresses of the host that are to be reached from a private network under the same host and port."""
    image: str = ""
    """Only for a container engine: what to run `argv` in."""
    keep_entrypoint: bool = False
    """Only for a container engine: `argv` follows the image's own entrypoint instead of replacing it."""
    relocate: Mapping[str, str] = field(default_factory=dict)
    """Only without isolation: variables that tell a program where a target really is, `{"BASE_DIR": "/opt/ml"}`."""
    port_env: str = ""
    """Only without isolation: the variable that tells a program the port it is to serve at instead of `port`."""

    def __post_init__(self) -> None:
        if any("\0" in word for word in (*self.argv, *self.env, *self.env.values(), self.cwd)):
            raise ValueError("a NUL cannot stand in an argument or a variable")
        for name in self.env:
            if not name or "=" in name:
                raise ValueError(f"{name!r} is no name of a variable")
        for name in self.hosts:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a host")
        targets = [mount.target for mount in self.mounts]
        if len(set(targets)) != len(targets):
            raise ValueError("two mounts have one target")
        if self.port is not None and any(port == self.port for _, port in self.reach):
            raise ValueError(f"port {self.port} is the program's own and cannot lead out of its network")


class JobLost(RunFailed):
    """A process ended and nobody can tell how: the launcher that watched it was killed."""


class Process(Protocol):
    """A command that runs. All methods may be called from any thread, and after the end too."""

    pid: int
    """The program's process as the host sees it."""

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, negative for a signal; None when it still runs after `timeout` seconds. Raises JobLost."""

    def terminate(self) -> None:
        """Ask the program to end: SIGTERM to it alone, as a container engine does."""

    def kill(self) -> None:
        """End it and all that it started: SIGKILL."""

    def connect(self, timeout: float) -> socket.socket:
        """A stream to the program's port, connected within `timeout` seconds. OSError when nothing listens there."""

    def close(self) -> None:
        """Kill what still runs and give back what it holds."""


class Sandbox(Protocol):
    """Starts commands under their contract. A context manager; leaving it is `close`."""

    @property
    def kind(self) -> str:
        """`namespaces`, `paths` or `container`."""

    @property
    def reason(self) -> str:
        """Why this one, for people."""

    def start(self, command: Command) -> Process:
        """Start it; returns when the program runs. OSError when it cannot be executed, Refused when the contract
        cannot be kept here."""

    def close(self) -> None:
        """Kill all that was started here."""

    def __enter__(self) -> Sandbox:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """`close`."""


def outer_first(mounts: tuple[Mount, ...]) -> Iterator[Mount]:
    """The mounts in an order in which what holds others comes before them."""
    return iter(sorted(mounts, key=lambda mount: mount.target.count("/")))
