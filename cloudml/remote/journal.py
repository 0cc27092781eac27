"""The journal of an apply, and the right to be the only one: both are the `pending` part of a pipeline's state.

Who begins writes it with a condition on what was read before, so that of two only one begins. While it is alive it
says so every half minute; one that was silent for five minutes is dead, and so is one whose process is gone from this
machine or that said why it ended. A dead apply's journal is taken over by the next one.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType

from cloudml import __version__
from cloudml.errors import CloudError, CloudmlError, Refused
from cloudml.remote import state
from cloudml.remote.state import Applied, Pending, State, Step
from cloudml.remote.world import World

BEAT, SILENT = 30.0, 300.0
"""Seconds between two signs of life; seconds of silence after which an apply is dead."""


@dataclass(frozen=True)
class Writer:
    """Who applies, where: enough to tell later whether it is still at it. `clock`: seconds since 1970."""

    host: str
    pid: int
    clock: Callable[[], float] = time.time

    @classmethod
    def here(cls) -> Writer:
        """This process. The machine's name is told as a hash only."""
        return cls(hashlib.sha256(socket.gethostname().encode()).hexdigest()[:16], os.getpid())

    def alive(self, pending: Pending) -> bool:
        """Whether whoever wrote that journal may still be at it."""
        if pending.failed or self.clock() - pending.beat > SILENT:
            return False
        return pending.host != self.host or _runs(pending.pid)


def _runs(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Journal:
    """An apply under way, as a context: begun on entry, ended or marked as cut off on exit."""

    def __init__(
        self, world: World, name: str, known: State, changes: Sequence[Step], writer: Writer | None = None
    ) -> None:
        self._world = world
        self._name = name
        self._state = known
        self._writer = writer or Writer.here()
        self._changes = tuple(changes)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lost: CloudmlError | None = None
        self._heart = threading.Thread(target=self._beat, name="journal", daemon=True)

    def __enter__(self) -> Journal:
        """Raises Refused (CML531) when another apply is at it, or began in the same moment."""
        known = self._state
        if known.pending is not None and self._writer.alive(known.pending):
            raise state.moved(self._name, known)
        pending = Pending(
            id=uuid.uuid4().hex,
            by=self._world.cloud.identity(self._world),
            host=self._writer.host,
            pid=self._writer.pid,
            at=_now(),
            beat=self._writer.clock(),
            changes=self._changes,
        )
        self._state = state.write(self._world, self._name, replace(known, pending=pending))
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._heart.join()
        if error is None or self._state.pending is None:
            return
        failed = replace(self._state.pending, failed=_said(error))
        try:
            self._write(replace(self._state, pending=failed))
        except CloudmlError:
            return  # what is told is the first error; the journal counts as dead after a while in any case

    def done(self, steps: Sequence[Step], made: Sequence[Applied] = ()) -> None:
        """Note what stands now. Raises Refused (CML531) when somebody else has taken over, CloudError."""
        pending = self._state.pending
        assert pending is not None
        gone = [(step.kind, step.name) for step in steps if step.action == "delete"]
        pending = replace(pending, done=(*pending.done, *steps), beat=self._writer.clock())
        self._write(replace(self._state.with_applied(made, gone), pending=pending))

    @property
    def stands(self) -> tuple[Step, ...]:
        """What was noted as done."""
        return self._state.pending.done if self._state.pending is not None else ()

    def check(self) -> None:
        """Raises Refused (CML531) when a sign of life found that somebody else has taken over."""
        if self._lost is not None:
            raise self._lost

    def end(self, applied: Sequence[Applied]) -> None:
        """All stands: this is what was applied. Raises Refused (CML531), CloudError."""
        self._over.set()
        self._write(
            replace(
                self._state,
                applied=tuple(applied),
                pending=None,
                at=_now(),
                by=self._world.cloud.identity(self._world),
                cloudml=__version__,
                sdk=version(self._world.cloud.sdk),
            )
        )

    def _write(self, new: State) -> None:
        with self._lock:
            self._state = self._put(new)

    def _put(self, new: State) -> State:
        """Write over the version that is known. What lies there may be an earlier write of our own whose answer was
        lost for good: then that is the version to write over."""
        try:
            return state.write(self._world, self._name, replace(new, etag=self._state.etag))
        except Refused:
            found, mine = state.read(self._world, self._name), self._state.pending
            if found.pending is None or mine is None or found.pending.id != mine.id:
                raise
            return state.write(self._world, self._name, replace(new, etag=found.etag))

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with self._lock:
                pending = self._state.pending
                if pending is None:
                    return
                alive = replace(self._state, pending=replace(pending, beat=self._writer.clock()))
                try:
                    self._state = self._put(alive)
                except CloudError:
                    continue  # a bad line: the next one may get through
                except CloudmlError as error:
                    self._lost = error
                    return


def _said(error: BaseException) -> str:
    text = error.message if isinstance(error, CloudmlError) else str(error)
    return (text or type(error).__name__)[:500]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
