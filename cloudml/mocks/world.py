"""What the worlds of all mock clouds have in common: state, time, work and doubt."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.mocks.bus import Bus, Change
from cloudml.mocks.clock import Clock
from cloudml.mocks.faults import Faults
from cloudml.mocks.store import Document, Scope, Store, Table
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers

if TYPE_CHECKING:
    from cloudml.mocks.images import ImageMap
    from cloudml.mocks.sandbox import Sandbox

_NOWHERE = Scope("", "")


@dataclass(kw_only=True)
class BaseWorld:
    """One mock cloud. `lock` guards the store; hold it while reading or changing documents, never while waiting."""

    store: Store
    clock: Clock
    bus: Bus
    workers: Workers
    faults: Faults
    switches: Switches
    images: ImageMap
    sandbox: Sandbox
    folder: Path
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    rooms: dict[str, Any] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)
    at_close: list[Callable[[], None]] = field(default_factory=list)
    """What rooms still have to write or end when the mock goes down in order."""

    def now(self) -> float:
        """The clock's time in seconds since the epoch, to the millisecond."""
        return round(self.clock.now().timestamp(), 3)

    def table(self, kind: str, scope: Scope) -> Table:
        """The table of that kind."""
        return self.store.table(kind, scope)

    def change(self, table: Table, name: str, field_: str, after: str, **updates: Any) -> Document:
        """Set the status `field_` of a document (and `updates`), keep it, and tell everyone. Needs the lock."""
        document = table[name]
        before = str(document.get(field_, ""))
        document[field_] = after
        document.update(updates)
        table.put(name, document)
        self.bus.publish(Change(table.kind, table.scope, name, before, after, document))
        return document

    def unique(self, *parts: str) -> str:
        """A token of 12 lower-case letters and digits, another for each call; counted, so that runs are repeatable."""
        number = int.from_bytes(self._chance(*parts), "big")
        letters = "0123456789abcdefghijklmnopqrstuvwxyz"
        token = ""
        while len(token) < 12:
            number, rest = divmod(number, 36)
            token += letters[rest]
        return token

    def unique_number(self, *parts: str) -> str:
        """19 digits, the first not 0, within a signed 64-bit number; another for each call, and repeatable."""
        return str(10**18 + int.from_bytes(self._chance(*parts), "big") % (8 * 10**18))

    def _chance(self, *parts: str) -> bytes:
        table = self.store.table("_counter", _NOWHERE)
        with self.lock:
            row = table.get("unique") or {"value": 0}
            row["value"] += 1
            table.put("unique", row)
            text = ":".join((*parts, str(row["value"])))
        return hashlib.sha256(text.encode()).digest()[:10]
