"""Logs of containers, live into moto's CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Scope
from cloudml.mocks.tail import Tail, follow
from cloudml_sagemaker.mock.core.world import World

_EVENT_BYTES = 262_144 - 26
_BATCH_BYTES = 1_048_576
_BATCH_EVENTS = 10_000
_EVENT_OVERHEAD = 26
_OLDEST, _NEWEST = timedelta(days=13), timedelta(hours=1)
"""Limits of PutLogEvents: an event 256 KB, a batch 1 MB with 26 bytes an event, 10,000 events, none older than 14 days
or more than 2 hours ahead of the service's own time (API reference). moto's time is real where a clock may be held."""

Lines = Callable[[float, Sequence[str]], None]
"""Told the clock's time and the lines read then, in order, at most every look."""
Shipper = Tail
"""One file on its way to one log stream."""


class _Stream:
    """One log stream, which exists from the first line on."""

    def __init__(self, world: World, scope: Scope, group: str, stream: str, lines: Lines | None) -> None:
        self._world = world
        self._scope = scope
        self._group = group
        self._stream = stream
        self._lines = lines
        self._made = False

    def send(self, lines: Sequence[str]) -> None:
        """Put the lines, and tell whoever listens."""
        for batch in _batches(lines):
            self._put(_milliseconds(self._world), batch)
        if self._lines is not None:
            self._lines(self._world.now(), lines)

    def _put(self, milliseconds: int, batch: list[str]) -> None:
        client = self._world.aws.client("logs", self._scope)
        if not self._made:
            self._make(client)
        events = [{"timestamp": milliseconds, "message": line} for line in batch]
        client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)

    def _make(self, client: Any) -> None:
        """Group and stream; that they are there already is well."""
        from botocore.exceptions import ClientError

        names = {"logGroupName": self._group, "logStreamName": self._stream}
        for _ in range(2):
            try:
                client.create_log_stream(**names)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ResourceNotFoundException":
                    _make_group(client, self._group)
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


def ship(world: World, scope: Scope, group: str, stream: str, path: Path, *, lines: Lines | None = None) -> Shipper:
    """Send what is written to the file `path` to the log stream, as it is written, until `stop` is called.

    `lines` is told them too. Times of events are the clock's.
    """
    return follow(world, path, _Stream(world, scope, group, stream, lines).send, _EVENT_BYTES)
