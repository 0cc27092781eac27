"""Captured traffic: the requests and answers that cloudml's serving container keeps in Cloud Storage.

Vertex AI's own request-response logging writes to BigQuery only, which a job cannot read without a further service and
its permissions; so the container writes, by `cloudml_vertex.container.capture`, below `<prefix>/capture`:
`<endpoint>/<deployed model>/yyyy/mm/dd/hh/<name>.jsonl`, one record a line.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloudml.jobs.control.traffic import JSON, Exchange, Reader, Traffic, parse_time
from cloudml.jobs.platform import Store
from cloudml.runtime.drift import Profile

_FOLDER = "%Y/%m/%d/%H"
_HOUR = timedelta(hours=1)


def files(store: Store, base: str, begin: datetime, end: datetime) -> Iterator[str]:
    """The objects below `base` in the folders of the hours that [begin, end) touches, in order."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield from store.list(f"{base}/{hour:{_FOLDER}}/")
        hour += _HOUR


def read(
    store: Store,
    base: str,
    window: tuple[datetime, datetime],
    profiles: Mapping[str, Profile],
    order: Sequence[str],
) -> Traffic:
    """All that was captured in [begin, end) below `base`, counted against the reference's profiles.

    `order`: the features as a request without names has them.
    """
    traffic = Traffic.against(profiles)
    reader = Reader(profiles, order)
    for uri in files(store, base, *window):
        for line in store.get(uri).splitlines():
            if line.strip():
                _take(line, window, traffic, reader)
    return traffic


def _take(line: bytes, window: tuple[datetime, datetime], traffic: Traffic, reader: Reader) -> None:
    try:
        record = json.loads(line)
        when = parse_time(record["time"])
        exchange = _exchange(record)
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.broken += 1
        return
    if not window[0] <= when < window[1]:
        return
    traffic.requests += 1
    try:
        rows = reader.rows(exchange)
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.refused += 1
        return
    traffic.take(rows)


def _exchange(record: Mapping[str, Any]) -> Exchange:
    """Both sides of a record. Raises ValueError, KeyError."""
    asked, told = record["request"], record.get("answer")
    request = body(asked)
    if told is None:
        return Exchange(request, request_type=asked.get("type") or JSON)
    return Exchange(request, body(told), asked.get("type") or JSON, str(told.get("type", "")))


def body(side: Mapping[str, Any]) -> bytes:
    """The content of one side of a record: text, or base64. Raises ValueError."""
    if "base64" not in side:
        return str(side["text"]).encode()
    try:
        return base64.b64decode(side["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
