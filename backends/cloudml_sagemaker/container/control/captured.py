"""Captured traffic: the requests and answers that an endpoint keeps in S3.

Form and path: developer guide, "Capture data from real-time endpoint":
`<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/` with JSON lines.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloudml.jobs.control.traffic import JSON, Exchange, Reader, Traffic, parse_time
from cloudml.runtime.drift import Profile
from cloudml_sagemaker.container.control.aws import client, split

_FOLDER = "%Y/%m/%d/%H"
_HOUR = timedelta(hours=1)


def files(base: str, begin: datetime, end: datetime) -> Iterator[str]:
    """The objects below `base` in the folders of the hours that [begin, end) touches, in order."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    s3, (bucket, root) = client("s3"), split(base)
    while hour < end:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/{hour:{_FOLDER}}/")
        for page in pages:
            yield from (f"s3://{bucket}/{one['Key']}" for one in page.get("Contents", ()))
        hour += _HOUR


def lines(uri: str) -> Iterator[bytes]:
    """The lines of an object that are not empty."""
    bucket, key = split(uri)
    for line in client("s3").get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
        if line.strip():
            yield line


def read(
    base: str, window: tuple[datetime, datetime], profiles: Mapping[str, Profile], order: Sequence[str]
) -> Traffic:
    """All that was captured in [begin, end) below `base`, counted against the reference's profiles.

    `order`: the features as a request without names has them.
    """
    traffic = Traffic.against(profiles)
    reader = Reader(profiles, order)
    for uri in files(base, *window):
        for line in lines(uri):
            _take(line, window, traffic, reader)
    return traffic


def _take(line: bytes, window: tuple[datetime, datetime], traffic: Traffic, reader: Reader) -> None:
    try:
        record = json.loads(line)
        when = parse_time(record["eventMetadata"]["inferenceTime"])
        sides = record["captureData"]
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.broken += 1
        return
    if not window[0] <= when < window[1]:
        return
    traffic.requests += 1
    try:
        rows = reader.rows(exchange(sides))
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.refused += 1
        return
    traffic.take(rows)


def exchange(sides: Mapping[str, Any]) -> Exchange:
    """Both sides of a record. Raises ValueError, KeyError."""
    asked, told = sides["endpointInput"], sides.get("endpointOutput")
    found = Exchange(body(asked), request_type=asked.get("observedContentType") or JSON)
    if told is None:
        return found
    return Exchange(found.request, body(told), found.request_type, str(told.get("observedContentType", "")))


def body(side: Mapping[str, Any]) -> bytes:
    """The content of one side of a record: text, or base64. Raises ValueError."""
    data = side["data"]
    if side.get("encoding") != "BASE64":
        return str(data).encode()
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
