"""The router as a process: a daemon with its data port, its control socket and its record."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.errors import StateError
from cloudml_local.endpoint.paths import EndpointPaths
from cloudml_local.endpoint.processes import start_time
from cloudml_local.endpoint.record import Record, read_record

if TYPE_CHECKING:
    from cloudml_local.endpoint.router.conductor import Conductor

MAX_BODY = 6 * 1024 * 1024
"""Bytes of a request; what SageMaker hosting allows."""

_FIRST_PORT, _PORTS = 20000, 10000
_KEEP_ALIVE_SECONDS = 75
_GRACEFUL_SECONDS = 10
_WATCH_SECONDS = 5.0

_log = logging.getLogger("cloudml.router")


def main(arguments: Sequence[str]) -> int:
    """Become a daemon and serve until SIGTERM or `stop`. The first process returns as soon as the second exists."""
    parser = argparse.ArgumentParser(prog="python -m cloudml_local.endpoint.router")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    given = parser.parse_args(arguments)
    # Before any thread exists: the child is adopted by init, so it is nobody's zombie when it ends.
    if os.fork():
        return 0
    os.set_inheritable(given.ready_fd, False)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with _runner() as runner:
        runner.run(_serve(EndpointPaths.of(given.root, given.name), given.ready_fd))
    return 0


def _runner() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(paths: EndpointPaths, ready: int) -> None:
    import uvicorn

    from cloudml_local.endpoint.router.commands import CommandServer
    from cloudml_local.endpoint.router.conductor import Conductor
    from cloudml_local.endpoint.router.proxy import Proxy

    class Server(uvicorn.Server):
        """Signals are the router's business: it has model servers to drain."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    record = _own(paths)
    listener = _listen(record.port, paths)
    record = replace(record, port=listener.getsockname()[1])
    proxy = Proxy(MAX_BODY)
    conductor = Conductor(paths, record, proxy, MAX_BODY)
    conductor.begin()
    commands = CommandServer(conductor)
    await proxy.open()
    await commands.open(paths.control)
    config = uvicorn.Config(
        proxy,
        lifespan="off",
        ws="none",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )
    server = Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, conductor.stopping.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.create_task(_stop_when_orphaned(paths, conductor))
    _log.info("routing on port %d", record.port)
    os.write(ready, b"ready")
    os.close(ready)
    await conductor.stopping.wait()
    server.should_exit = True
    await serving
    watching.cancel()
    await conductor.shut_down()
    commands.close(None if conductor.orphaned else paths.control)
    await proxy.close()


def _own(paths: EndpointPaths) -> Record:
    """The endpoint's record, now with this process in it."""
    found = read_record(paths)
    pid = os.getpid()
    folder = str(paths.folder)
    return replace(
        found or Record(paths.name, folder),
        folder=folder,
        control=str(paths.control),
        pid=pid,
        start_time=start_time(pid) or "",
        status="creating",
        variants=(),
        error="",
    )


def _listen(wanted: int, paths: EndpointPaths) -> socket.socket:
    """The recorded port if it is free, else the first free one from a place that depends on the endpoint only.

    Below the range from which the system takes ports for outgoing connections, so that it is free again after a stop.
    """
    digest = hashlib.sha256(os.fsencode(paths.folder)).digest()
    first = int.from_bytes(digest[:4], "big")
    candidates = [wanted] if wanted else []
    candidates += [_FIRST_PORT + (first + step) % _PORTS for step in range(100)]
    for port in [*candidates, 0]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1024)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no port on 127.0.0.1 is free")


async def _stop_when_orphaned(paths: EndpointPaths, conductor: Conductor) -> None:
    """A router whose state was deleted, moved or taken over serves on where nobody could ever stop it."""
    while _owns(paths):
        await asyncio.sleep(_WATCH_SECONDS)
    _log.warning("%s is gone or names another router", paths.record)
    conductor.orphaned = True
    conductor.stopping.set()


def _owns(paths: EndpointPaths) -> bool:
    try:
        found = read_record(paths)
    except StateError:
        # Damaged, or unreadable for the moment: still ours.
        return True
    return found is not None and found.pid == os.getpid()
