"""Data capture: requests and answers of an endpoint as JSON lines in S3.

Form and path: developer guide, "Capture data from real-time endpoint" and "Interpreting the captured data".
"""

from __future__ import annotations

import base64
import json
import logging
import math
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import World, iso

log = logging.getLogger(__name__)

FLUSH_SECONDS = 60.0
FLUSH_RECORDS = 500
"""A file is written a minute after its first record, or when it has so many; AWS says only "a couple of minutes"."""


@dataclass(frozen=True)
class Payload:
    """One direction's body with its content type."""

    media: str
    body: bytes


@dataclass
class _File:
    settings: Document
    lines: list[str] = field(default_factory=list)


_Key = tuple[Scope, str, str]
_Part = tuple[_Key, int]
"""A key's records of one hour, in hours since the epoch: files are "organized based on the hour when the invocation
occurred", and monitors read them so."""
_HOUR = 3600


class Capture:
    """Collects records by endpoint and variant and writes them. Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._files: dict[_Part, _File] = {}
        self._seen: dict[_Key, int] = {}

    def take(
        self,
        key: _Key,
        settings: Document,
        request: Payload,
        answer: Payload,
        *,
        inference_id: str = "",
        attributes: str = "",
    ) -> None:
        """Keep one invocation of `key` (scope, endpoint, variant) if capture is on and the sample has it."""
        if not settings.get("EnableCapture", True):  # "defaults to enabled" (API reference)
            return
        full, now = None, self._world.now()
        part = (key, int(now // _HOUR))
        with self._lock:
            number = self._seen[key] = self._seen.get(key, 0) + 1
            if not sampled(number, settings["InitialSamplingPercentage"]):
                return
            file = self._files.get(part)
            if file is None:
                file = self._files[part] = _File(settings)
                self._world.clock.call_in(FLUSH_SECONDS, lambda: self._flush([part]), "data capture")
            line = record(settings, request, answer, now, inference_id, attributes)
            file.lines.append(json.dumps(line, separators=(",", ":")))
            if len(file.lines) >= FLUSH_RECORDS:
                full = self._files.pop(part)
        if full is not None:
            self._write(part, full)

    def flush(self) -> None:
        """Write everything that waits."""
        with self._lock:
            parts = list(self._files)
        self._flush(parts)

    def forget(self, scope: Scope, endpoint: str) -> None:
        """The endpoint is gone: write what it left."""
        with self._lock:
            for key in [one for one in self._seen if one[:2] == (scope, endpoint)]:
                del self._seen[key]
            parts = [part for part in self._files if part[0][:2] == (scope, endpoint)]
        self._flush(parts)

    def _flush(self, parts: Iterable[_Part]) -> None:
        with self._lock:
            ready = [(part, self._files.pop(part)) for part in parts if part in self._files]
        for part, file in ready:
            self._write(part, file)

    def _write(self, part: _Part, file: _File) -> None:
        (scope, endpoint, variant), hour = part
        now = datetime.fromtimestamp(self._world.now(), UTC)
        folder = datetime.fromtimestamp(hour * _HOUR, UTC)
        name = f"{folder:%Y/%m/%d/%H}/{now:%M-%S}-{now.microsecond // 1000:03d}-{self._name()}.jsonl"
        uri = f"{file.settings['DestinationS3Uri'].rstrip('/')}/{endpoint}/{variant}/{name}"
        try:
            s3.write(self._world, scope, uri, "\n".join(file.lines) + "\n", "application/jsonlines")
        except s3.S3Error as error:  # the role has no access, or no such bucket: AWS loses the data just so
            log.warning("captured data of %s was lost: %s", endpoint, error)

    def _name(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_URL, self._world.unique("capture"))


def sampled(number: int, percentage: float) -> bool:
    """Whether the `number`-th call (from 1) belongs to a sample of so many percent, spread evenly."""
    return math.floor(number * percentage / 100) > math.floor((number - 1) * percentage / 100)


def modes(settings: Document) -> set[str]:
    """What is captured: INPUT, OUTPUT."""
    both = {"Input": {"INPUT"}, "Output": {"OUTPUT"}, "InputAndOutput": {"INPUT", "OUTPUT"}}
    return {mode for option in settings["CaptureOptions"] for mode in both[option["CaptureMode"]]}


def record(
    settings: Document, request: Payload, answer: Payload, now: float, inference_id: str = "", attributes: str = ""
) -> Document:
    """One line, as a document."""
    wanted = modes(settings)
    data: Document = {}
    if "INPUT" in wanted:
        data["endpointInput"] = _side(settings, request, "INPUT")
    if "OUTPUT" in wanted:
        data["endpointOutput"] = _side(settings, answer, "OUTPUT")
    event: Document = {"eventId": str(uuid.uuid4())}
    if attributes:
        event["customAttributes"] = [attributes]
    if inference_id:
        event["inferenceId"] = inference_id
    event["inferenceTime"] = iso(now).partition(".")[0] + "Z"
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _side(settings: Document, payload: Payload, mode: str) -> Document:
    encoding = _encoding(settings.get("CaptureContentTypeHeader") or {}, payload.media)
    data = base64.b64encode(payload.body).decode() if encoding == "BASE64" else payload.body.decode("utf-8", "replace")
    return {"observedContentType": payload.media, "mode": mode, "data": data, "encoding": encoding}


def _encoding(headers: Document, media: str) -> str:
    """CSV or JSON for the content types that the configuration lists, base64 for all others (API reference)."""
    kind = media.partition(";")[0].strip().lower()
    listed: Iterable[tuple[str, list[str]]] = (
        ("CSV", headers.get("CsvContentTypes") or []),
        ("JSON", headers.get("JsonContentTypes") or []),
    )
    return next((name for name, kinds in listed if kind in {one.lower() for one in kinds}), "BASE64")
