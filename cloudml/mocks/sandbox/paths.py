"""Jobs where the kernel grants no namespaces: plain processes whose words are rewritten to where the mounts really are.

Every whole occurrence of a mount's target in the arguments, the values of the environment and the working folder is
replaced by its source: `/opt/ml` in `--model-dir=/opt/ml/model`, not in `/opt/mlx` nor in `s3://bucket/opt/ml`.

Limits, all for want of isolation: a program that has `/opt/ml` in its own text does not find it; names of
`Command.hosts` do not resolve; `read_only` is not enforced; a server must take its port from `Command.port_env`; a
source with blanks or quotes breaks words that a shell splits. A mount inside another is a symbolic link in the outer
one's source while the job lives, where nothing else stands there.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from cloudml.errors import Refused
from cloudml.mocks.sandbox.command import Command, Mount, Process, outer_first
from cloudml.mocks.sandbox.launching import LaunchedProcess, Launcher

_ATTEMPTS = 100


class PathSandbox:
    """See `command.Sandbox`."""

    kind = "paths"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self._launcher = Launcher()
        self._ports = _Ports()

    def start(self, command: Command) -> Process:
        """Start it; see `command.Sandbox.start`."""
        if command.port is not None and not command.port_env:
            raise Refused(
                f"without isolation a server cannot have port {command.port} for itself",
                hint="set Command.port_env to the variable that tells the program another port",
            )
        translate = Translation(command.mounts)
        env = {name: translate(value) for name, value in command.env.items()}
        env.update((name, translate(target)) for name, target in command.relocate.items())
        port = None if command.port is None else self._ports.take()
        if port is not None:
            env[command.port_env] = str(port)
        job = {
            "isolated": False,
            "argv": [translate(word) for word in command.argv],
            "env": env,
            "cwd": translate(command.cwd),
        }
        ended = _Ending(_link(command.mounts), lambda: self._ports.give_back(port))
        return self._launcher.start(job, command.log, _connector(port), ended)

    def close(self) -> None:
        """Kill all jobs and the launcher."""
        self._launcher.close()

    def __enter__(self) -> PathSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Translation:
    """From paths inside to paths of the host, in any text. Longer targets go before those that hold them."""

    def __init__(self, mounts: tuple[Mount, ...]) -> None:
        self._sources: Mapping[str, str] = {mount.target: os.path.abspath(mount.source) for mount in mounts}
        names = "|".join(re.escape(target) for target in sorted(self._sources, key=len, reverse=True))
        # Before: nothing that could belong to the same path, except the slashes of a file URI. After: its end or a
        # slash. A full stop ends a sentence as often as it begins a suffix; only a suffix makes it another name.
        self._pattern = re.compile(rf"(?:(?<=file://)|(?<![\w./~-]))(?:{names})(?![\w-]|\.\w)") if names else None

    def __call__(self, text: str) -> str:
        """`text` with every target in it replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._sources[found.group()], text)


class _Ports:
    """Free ports of the loopback, none given twice at one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    def take(self) -> int:
        with self._lock:
            for _ in range(_ATTEMPTS):
                with socket.create_server(("127.0.0.1", 0)) as server:
                    port: int = server.getsockname()[1]
                if port not in self._taken:
                    self._taken.add(port)
                    return port
        raise Refused("no free port", hint="stop some endpoints")

    def give_back(self, port: int | None) -> None:
        with self._lock:
            self._taken.discard(port or 0)


class _Ending:
    """What is undone when a job has ended."""

    def __init__(self, links: list[Path], free: Callable[[], None]) -> None:
        self._links = links
        self._free = free

    def __call__(self) -> None:
        self._free()
        for link in self._links:
            with contextlib.suppress(OSError):
                link.unlink()
        self._links = []


def _link(mounts: tuple[Mount, ...]) -> list[Path]:
    """Let mounts inside of others be found there: links, made where nothing stands or an empty folder does."""
    links = []
    placed: list[Mount] = []
    for mount in outer_first(mounts):
        outer = next((other for other in reversed(placed) if mount.target.startswith(other.target + "/")), None)
        placed.append(mount)
        if outer is None:
            continue
        base = Path(outer.source).resolve()
        place = base / mount.target[len(outer.target) + 1 :]
        if not place.parent.resolve().is_relative_to(base):
            continue  # a link in a given folder leads out of it
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()
        with contextlib.suppress(FileExistsError):
            place.symlink_to(os.path.abspath(mount.source))
            links.append(place)
    return links


def _connector(port: int | None) -> Callable[[LaunchedProcess, float], socket.socket]:
    def connect(process: LaunchedProcess, timeout: float) -> socket.socket:
        if port is None:
            raise ConnectionRefusedError("the command was started without a port")
        stream = socket.create_connection(("127.0.0.1", port), timeout)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    return connect
