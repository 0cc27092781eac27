"""Logs of containers, live into Cloud Logging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Scope
from cloudml.mocks.tail import Tail, follow
from cloudml_vertex.mock.core import entries
from cloudml_vertex.mock.core.world import World

LINE_BYTES = 256_000 - 2_000
"""The text of one entry: an entry has at most 256 KB (Cloud Logging, "Quotas and limits"), its labels included."""

Lines = Callable[[Sequence[str]], None]
"""Told the lines that were sent, in order."""


def ship(
    world: World,
    scope: Scope,
    resource: Mapping[str, Any],
    log_name: str,
    path: Path,
    *,
    labels: Mapping[str, str] | None = None,
    lines: Lines | None = None,
    severity: str = "INFO",
) -> Tail:
    """Send what is written to the file `path` to a log, as it is written, until `stop` of the answer is called.

    `resource` is the monitored resource {"type", "labels"}, `log_name` the log's id or its full name; `lines` is told
    the lines too. Times of entries are the clock's.
    """

    def send(found: Sequence[str]) -> None:
        entries.write(world, scope, log_name, resource, labels, found, severity=severity)
        if lines is not None:
            lines(found)

    return follow(world, path, send, LINE_BYTES)
