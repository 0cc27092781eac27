"""Starting a router that belongs to no command: own session, no terminal, its parent gone at once."""

from __future__ import annotations

import importlib.util
import os
import select
import subprocess
import sys
from pathlib import Path

from cloudml.errors import MissingExtra
from cloudml_local.endpoint import faults
from cloudml_local.endpoint.paths import EndpointPaths

_NEEDED = ("uvicorn", "starlette", "aiohttp")
_START_SECONDS = 60.0
_LONGEST_LOG = 4 * 1024 * 1024


def require_packages() -> None:
    """Raises MissingExtra (CML312) naming the first package that serving lacks."""
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra("local", package)


def launch_router(paths: EndpointPaths) -> None:
    """Start the router and wait until it answers on its control socket. Raises StateError (CML524)."""
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-m", "cloudml_local.endpoint.router"]
    command += ["--root", str(paths.root), "--name", paths.name, "--ready-fd", str(writer)]
    try:
        _keep_log_short(paths.log)
        with open(paths.log, "ab") as log:
            starter = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments as a list
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=paths.root,
                env=_environment(),
                pass_fds=(writer,),
                start_new_session=True,
            )
        os.close(writer)
        writer = -1
        # The starter forks the router and ends; its end closes no pipe, as the router holds the other one.
        starter.wait(_START_SECONDS)
        _await_ready(reader, paths)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise faults.router_failed(paths.name, f"did not start: {error}") from error
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def tail(path: Path, lines: int = 12, most_bytes: int = 8192) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _environment() -> dict[str, str]:
    """Ours, with an import path that means the same from another working directory."""
    environment = dict(os.environ)
    if environment.get("PYTHONPATH"):
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in entries if entry)
    return environment


def _await_ready(reader: int, paths: EndpointPaths) -> None:
    readable, _, _ = select.select([reader], [], [], _START_SECONDS)
    if not readable:
        raise faults.router_failed(paths.name, f"did not start within {_START_SECONDS:g} seconds")
    if not os.read(reader, 16).startswith(b"ready"):
        raise faults.router_failed(paths.name, f"did not start:\n{tail(paths.log)}")


def _keep_log_short(path: Path) -> None:
    if path.exists() and path.stat().st_size > _LONGEST_LOG:
        os.replace(path, path.with_name(path.name + ".1"))
