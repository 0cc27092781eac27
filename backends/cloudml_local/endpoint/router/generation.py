"""The model servers of one deployment: started together, watched, restarted when they crash, drained together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.record import ServerEntry
from cloudml_local.endpoint.router.server import ModelServer, NotReady
from cloudml_local.endpoint.router.table import RoutingTable, Variant

_STOP_GRACE_SECONDS = 10.0
_DRAIN_POLL_SECONDS = 0.01
_PROBE_EVERY_SECONDS = 5.0
_PROBE_SECONDS = 5.0
_FAILED_PROBES = 3
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_STABLE_SECONDS = 60.0
_RESTART_SECONDS = 300.0

_log = logging.getLogger(__name__)


class Generation:
    """Blue, or green. `on_change` is told in words of each crash, and with an empty text of each recovery."""

    def __init__(self, number: int, deployment: Deployment, folder: Path, max_body: int) -> None:
        self.number = number
        self.deployment = deployment
        self.restarts = 0
        self._max_body = max_body
        self._servers = tuple(ModelServer(f"d{number}-{copy}", deployment, folder) for copy in range(deployment.copies))
        self._watchers: list[asyncio.Task[None]] = []
        targets = tuple(server.target for server in self._servers)
        self.variant = Variant(f"d{number}", deployment.version, 100.0, targets)

    def table(self) -> RoutingTable:
        """All traffic to this generation."""
        return RoutingTable(self.number, (self.variant,), self.deployment.request_timeout)

    @property
    def up(self) -> bool:
        """Does at least one server take requests?"""
        return any(server.target.up for server in self._servers)

    def entries(self) -> tuple[ServerEntry, ...]:
        """For the record."""
        share = self.variant.weight / len(self._servers)
        return tuple(
            ServerEntry(server.name, server.pid, server.target.port or None, share, self.deployment.version)
            for server in self._servers
        )

    async def start(self, seconds: float) -> None:
        """Start every server and wait for all to be ready. Raises NotReady; stops what it started when it does."""
        try:
            for server in self._servers:
                await server.start(self._max_body)
            async with asyncio.timeout(seconds):
                for server in self._servers:
                    await server.wait_ready()
        except TimeoutError:
            last = next((server for server in self._servers if not server.target.up), self._servers[0])
            await self._end()
            raise NotReady(f"not ready within {seconds:g} seconds; see {last.log_path}") from None
        except OSError as error:
            await self._end()
            raise NotReady(f"its process cannot be started: {error}") from error
        except BaseException:
            await self._end()
            raise

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Restart servers that crash or hang, from now until the end."""
        self._watchers = [asyncio.create_task(self._supervise(server, on_change)) for server in self._servers]

    async def retire(self, seconds: float) -> None:
        """Nobody chooses this generation any more: wait up to `seconds` for what is in flight, then end it."""
        deadline = time.monotonic() + seconds
        while self.variant.in_flight and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        if self.variant.in_flight:
            _log.warning("d%d still has %d requests in flight", self.number, self.variant.in_flight)
        await self._end()

    async def _end(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        # A watcher may be in the middle of starting a process: wait until it has let go of it.
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await asyncio.gather(*(server.stop(_STOP_GRACE_SECONDS) for server in self._servers))
        for server in self._servers:
            server.forget_files()

    async def _supervise(self, server: ModelServer, on_change: Callable[[str], None]) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            await self._until_lost(server)
            failures = 0 if time.monotonic() - began > _STABLE_SECONDS else failures
            reason = server.exit_reason()
            while True:
                delay = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2**failures)
                _log.error("%s; it is started again in %g s", reason, delay)
                on_change(f"{reason}; it is started again")
                await asyncio.sleep(delay)
                failures += 1
                self.restarts += 1
                try:
                    await server.start(self._max_body)
                    async with asyncio.timeout(_RESTART_SECONDS):
                        await server.wait_ready()
                except (NotReady, OSError, TimeoutError) as error:
                    await server.stop(_STOP_GRACE_SECONDS)
                    reason = f"model server {server.name} does not come back ({error})"
                    continue
                break
            _log.info("model server %s serves again", server.name)
            on_change("")

    async def _until_lost(self, server: ModelServer) -> None:
        """Return when the process has ended; one that stops answering its health route is ended for that."""
        failed = 0
        exited = asyncio.create_task(server.wait_exit())
        try:
            while not exited.done():
                await asyncio.wait({exited}, timeout=_PROBE_EVERY_SECONDS)
                if exited.done():
                    return
                server.keep_log_short()
                failed = 0 if await server.healthy(_PROBE_SECONDS) else failed + 1
                if failed >= _FAILED_PROBES and not exited.done():
                    _log.error("model server %s does not answer its health route; it is ended", server.name)
                    server.kill()
        finally:
            exited.cancel()
