"""Blue to green: start green, wait until it answers, swap the table, drain blue. Keeps the endpoint's record true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cloudml.errors import StateError
from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.paths import EndpointPaths
from cloudml_local.endpoint.record import Record, Served, utc_now, write_record
from cloudml_local.endpoint.router.generation import Generation
from cloudml_local.endpoint.router.proxy import Proxy
from cloudml_local.endpoint.router.server import NotReady

_SHORTEST_DRAIN_SECONDS = 10.0
_DRAIN_MARGIN_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Conductor:
    """The only one that changes the proxy's table and the record while the router lives."""

    def __init__(self, paths: EndpointPaths, record: Record, proxy: Proxy, max_body: int) -> None:
        self.record = record
        self.stopping = asyncio.Event()
        self.orphaned = False
        """The folder is gone or another router's: nothing may be written there any more."""
        self._paths = paths
        self._proxy = proxy
        self._max_body = max_body
        self._live: Generation | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()

    def begin(self) -> None:
        """Write this process into the record. Raises StateError."""
        self._write()

    async def deploy(
        self, deployment: Deployment, seconds: float, progress: Callable[[str], None], number: int | None
    ) -> dict[str, Any]:
        """Serve the deployment; nothing happens when it is what is served. `number` keeps a recorded deployment's own.

        Raises NotReady; what was served before is served still. A cancelled call has changed nothing.
        """
        async with self._changing:
            if self._live and self._live.up and self._live.deployment.same_service(deployment):
                progress(f"version {deployment.version} of {deployment.model} is served already")
                return self.status()
            number = number or self.record.last_id + 1
            green = Generation(number, deployment, self._paths.servers, self._max_body)
            self._note(status="updating" if self._live else "creating", last_id=max(number, self.record.last_id))
            progress(f"starting version {deployment.version} of {deployment.model}")
            try:
                await green.start(seconds)
            except NotReady as error:
                self._give_up(str(error))
                raise
            except asyncio.CancelledError:
                self._give_up("the deploy was abandoned before the new version was ready")
                raise
            try:
                self._switch(green)
            except StateError as error:
                await green.retire(0)
                self._give_up(error.message)
                raise
            progress(f"version {deployment.version} serves")
            return self.status()

    def status(self) -> dict[str, Any]:
        """The record with the counters of what is served."""
        live = self._live
        counters = live.variant.counters.to_dict() if live else {}
        counters.pop("histogram", None)
        if live:
            counters.update(in_flight=live.variant.in_flight, restarts=live.restarts)
        return {"record": self.record.to_dict(), "counters": counters}

    def metrics(self) -> dict[str, Any]:
        """Counters and histogram of every variant in the table."""
        table = self._proxy.table
        variants = table.variants if table is not None else ()
        return {
            "deployment_id": table.deployment_id if table is not None else None,
            "variants": {
                variant.name: {
                    "version": variant.version,
                    "weight": variant.weight,
                    "in_flight": variant.in_flight,
                    "broken_connections": sum(target.broken for target in variant.targets),
                    **variant.counters.to_dict(),
                }
                for variant in variants
            },
        }

    async def shut_down(self) -> None:
        """Drain and end every server; the record says stopped, or keeps the reason of a first deploy that failed."""
        live, self._live = self._live, None
        self._proxy.table = None
        # What an abandoned change has started must be gone as well: it holds the lock until it is.
        async with self._changing:
            await asyncio.gather(*self._retiring, *([live.retire(0)] if live else []))
        status = "failed" if self.record.status == "failed" and live is None else "stopped"
        error = self.record.error if status == "failed" else ""
        self._note(status=status, error=error, variants=(), pid=None, start_time="")

    def _switch(self, green: Generation) -> None:
        """The record first: if it cannot be written, nothing has happened yet. The rest cannot fail."""
        served = Served(green.number, green.deployment, utc_now())
        before = self.record.deployment
        self._write(
            status="in_service",
            deployment=served,
            previous=before if before and before.id != served.id else self.record.previous,
            variants=green.entries(),
            error="",
        )
        blue, self._live = self._live, green
        self._proxy.table = green.table()
        green.watch(self._changed)
        if blue is not None:
            patience = max(_SHORTEST_DRAIN_SECONDS, blue.deployment.request_timeout + _DRAIN_MARGIN_SECONDS)
            retiring = asyncio.create_task(blue.retire(patience))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)

    def _give_up(self, reason: str) -> None:
        """Blue, if there is one, was never touched."""
        if self._live is not None:
            self._note(status="in_service" if self._live.up else "failed", error=reason)
        else:
            self._note(status="failed", error=reason)
            self.stopping.set()

    def _changed(self, error: str) -> None:
        if self._live is not None:
            status = self.record.status if self.record.status == "updating" else "in_service"
            self._note(status=status if self._live.up else "failed", error=error, variants=self._live.entries())

    def _write(self, **changes: Any) -> None:
        record = replace(self.record, **changes, updated_at=utc_now())
        if not self.orphaned:
            write_record(self._paths, record)
        self.record = record
        _log.info("%s%s", record.status, f": {record.error}" if record.error else "")

    def _note(self, **changes: Any) -> None:
        """Like `_write`, for what is true whether or not it can be written: a full disk must not end the service."""
        try:
            self._write(**changes)
        except StateError as error:
            self.record = replace(self.record, **changes, updated_at=utc_now())
            _log.error("%s", error)
