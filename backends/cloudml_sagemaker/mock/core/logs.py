"""Logs of containers, live into moto's CloudWatch Logs: one thread looks after all files that grow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""Real seconds between two looks at the files: what a person who follows a log does not notice."""
_READ = 1 << 18
_EVENT_BYTES = 262_144 - 26
_BATCH_BYTES = 1_048_576
_BATCH_EVENTS = 10_000
_EVENT_OVERHEAD = 26
_OLDEST, _NEWEST = timedelta(days=13), timedelta(hours=1)
"""Limits of PutLogEvents: an event 256 KB, a batch 1 MB with 26 bytes an event, 10,000 events, none older than 14 days
or more than 2 hours ahead of the service's own time (API reference). moto's time is real where a clock may be held."""

Lines = Callable[[float, Sequence[str]], None]
"""Told the clock's time and the lines read then, in order, at most every look."""


class Shipper:
    """One file on its way to one log stream. `stop` sends the rest; the stream exists from the first line on."""

    def __init__(
        self, world: World, scope: Scope, group: str, stream: str, path: Path, lines: Lines | None = None
    ) -> None:
        self._world = world
        self._scope = scope
        self.group = group
        self.stream = stream
        self._path = path
        self._lines = lines
        self._offset = 0
        self._rest = b""
        self._made = False
        self._lock = threading.Lock()

    def look(self, *, last: bool = False) -> None:
        """Send what the file has more than at the last look; a line without its end waits until `last`."""
        with self._lock:
            while data := self._read():
                self._send(self._split(data, last=False))
            if last and self._rest:
                self._send(self._split(b"\n", last=True))

    def stop(self) -> None:
        """Send all that is left. May be called more than once."""
        _tailer(self._world).drop(self)
        self.look(last=True)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_READ)
        except FileNotFoundError:
            return b""
        self._offset += len(data)
        return data

    def _split(self, data: bytes, *, last: bool) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _EVENT_BYTES:
            whole.append(self._rest)
            self._rest = b""
        pieces = (line[at : at + _EVENT_BYTES] for line in whole for at in range(0, len(line), _EVENT_BYTES))
        return [piece.decode(errors="replace").rstrip("\r") for piece in pieces]

    def _send(self, found: list[str]) -> None:
        lines = [line for line in found if line]
        for batch in _batches(lines):
            self._put(_milliseconds(self._world), batch)
        if lines and self._lines is not None:
            self._lines(self._world.now(), lines)

    def _put(self, milliseconds: int, batch: list[str]) -> None:
        client = self._world.aws.client("logs", self._scope)
        if not self._made:
            self._make(client)
        events = [{"timestamp": milliseconds, "message": line} for line in batch]
        client.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=events)

    def _make(self, client: Any) -> None:
        """Group and stream; that they are there already is well."""
        from botocore.exceptions import ClientError

        names = {"logGroupName": self.group, "logStreamName": self.stream}
        for _ in range(2):
            try:
                client.create_log_stream(**names)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ResourceNotFoundException":
                    _make_group(client, self.group)
                    continue
                if code != "ResourceAlreadyExistsException":
                    raise
            self._made = True
            return


def _milliseconds(world: World) -> int:
    """The clock's time, as near to it as moto takes."""
    real = datetime.now(UTC)
    return int(min(max(world.clock.now(), real - _OLDEST), real + _NEWEST).timestamp() * 1000)


def _make_group(client: Any, group: str) -> None:
    from botocore.exceptions import ClientError

    try:
        client.create_log_group(logGroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _batches(lines: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    room = 0
    for line in lines:
        size = len(line.encode()) + _EVENT_OVERHEAD
        if not batches or size > room or len(batches[-1]) == _BATCH_EVENTS:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(line)
        room -= size
    return batches


class _Tailer:
    """Looks at every file under way while there is one; its thread ends with the last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shippers: list[Shipper] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, shipper: Shipper) -> None:
        with self._lock:
            self._shippers.append(shipper)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mock-logs", daemon=True)
                self._thread.start()

    def drop(self, shipper: Shipper) -> None:
        with self._lock:
            if shipper in self._shippers:
                self._shippers.remove(shipper)

    def _run(self) -> None:
        while not self._world.closing.wait(_LOOK_SECONDS):
            with self._lock:
                present = list(self._shippers)
                if not present:
                    self._thread = None
                    return
            for shipper in present:
                try:
                    shipper.look()
                except Exception:
                    log.exception("the log %s/%s could not be sent", shipper.group, shipper.stream)


def _tailer(world: World) -> _Tailer:
    found: _Tailer = world.rooms.setdefault("logs", _Tailer(world))
    return found


def ship(world: World, scope: Scope, group: str, stream: str, path: Path, *, lines: Lines | None = None) -> Shipper:
    """Send what is written to the file `path` to the log stream, as it is written, until `stop` is called.

    `lines` is told them too. Times of events are the clock's.
    """
    shipper = Shipper(world, scope, group, stream, path, lines)
    _tailer(world).add(shipper)
    return shipper
