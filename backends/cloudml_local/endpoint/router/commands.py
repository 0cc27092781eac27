"""The control socket: one JSON line is a command, JSON lines are its progress and its answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.router.conductor import Conductor
from cloudml_local.endpoint.router.server import NotReady

Say: TypeAlias = Callable[[dict[str, Any]], None]

_LONGEST_LINE = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class CommandServer:
    """Answers on a unix socket that only its owner can open."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._server: asyncio.Server | None = None
        self._handlers: dict[str, Callable[[dict[str, Any], Say], Awaitable[dict[str, Any]]]] = {
            "status": self._status,
            "metrics": self._metrics,
            "deploy": self._deploy,
            "stop": self._stop,
        }

    async def open(self, path: Path) -> None:
        """Listen. A socket file left by a killed router is in the way: the endpoint's lock says nobody uses it."""
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._connected, str(path), limit=_LONGEST_LINE)
        finally:
            os.umask(before)

    def close(self, path: Path | None) -> None:
        """Stop listening; remove the socket's file when it is still ours."""
        if self._server is not None:
            self._server.close()
        if path is not None:
            path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(message: dict[str, Any]) -> None:
            writer.write(json.dumps(message).encode() + b"\n")

        try:
            request = json.loads(await reader.readline())
            await self._unless_gone(reader, self._handlers[request["command"]](request, say), say)
            await writer.drain()
        except (ValueError, KeyError, TypeError) as error:
            say(_error("bad_request", f"{type(error).__name__}: {error}"))
        except OSError:
            _log.info("a command went away before its answer")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _unless_gone(self, reader: asyncio.StreamReader, work: Awaitable[dict[str, Any]], say: Say) -> None:
        """Run the command; abandon it when whoever asked goes away, or the router stops."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(reader.read(1))
        stopping = asyncio.ensure_future(self._conductor.stopping.wait())
        try:
            await asyncio.wait({task, gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
            say({"result": await task})
        except NotReady as error:
            say(_error("not_ready", str(error)))
        except asyncio.CancelledError:
            say(_error("abandoned", "the endpoint was stopped"))
        except Exception as error:  # noqa: BLE001 - a command must not end the service; whoever asked learns why
            _log.exception("a command failed")
            say(_error("failed", f"{type(error).__name__}: {error}"))
        finally:
            gone.cancel()
            stopping.cancel()

    async def _status(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        return self._conductor.status()

    async def _metrics(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        return self._conductor.metrics()

    async def _deploy(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        return await self._conductor.deploy(
            Deployment.from_dict(request["deployment"]),
            float(request["seconds"]),
            lambda text: say({"progress": text}),
            request.get("id"),
        )

    async def _stop(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        self._conductor.stopping.set()
        return {}


def _error(kind: str, reason: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "reason": reason}}
