"""What a serving container keeps of its traffic: requests and answers in Cloud Storage, for monitors.

Which share is kept, the endpoint says in an object beside its captures (`<base>/<endpoint>/settings.json`), because a
container's environment is of the model, not of the endpoint. Vertex AI tells the container which endpoint and which
deployed model it is of (AIP_ENDPOINT_ID, AIP_DEPLOYED_MODEL_ID: "Custom container requirements for inference"). Nothing
here may harm an answer: records wait in memory, up to MOST, and a thread writes them.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.jobs.platform import Store

BASE = "CLOUDML_CAPTURE"
"""The variable with the gs:// folder of all captures, without a slash at its end."""
SETTINGS = "settings.json"
SECONDS = 10.0
"""Between two writes; a record is in Cloud Storage so long after its answer at the latest."""
_REFRESH = 6
"""Writes between two looks at the settings."""
MOST = 2000
"""Records that wait; more of them are counted and dropped."""
LONGEST = 256 * 1024
"""Bytes of a body that is kept."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a container's records lie, and where its endpoint says what is kept."""

    folder: str
    settings: str

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Place | None:
        """By the environment; None: the container is of no endpoint, or its model was registered without captures."""
        names = [environment.get(name, "") for name in (BASE, "AIP_ENDPOINT_ID", "AIP_DEPLOYED_MODEL_ID")]
        if not all(names):
            return None
        base, endpoint, deployed = names
        return cls(f"{base}/{endpoint}/{deployed}", settings_uri(base, endpoint))


def settings_uri(base: str, endpoint: str) -> str:
    """The object that says what an endpoint keeps."""
    return f"{base}/{endpoint}/{SETTINGS}"


def settings(sample: float | None) -> Document:
    """The content of that object; None: nothing is kept."""
    return {"version": 1, "sample": sample or 0.0}


class Recorder:
    """Keeps requests and answers of one container. Safe from any thread. `share`: of the requests, 0 to 1."""

    def __init__(self, place: Place, store: Store) -> None:
        self._place, self._store = place, store
        self._lock = threading.Lock()
        self._waiting: list[tuple[datetime, bytes]] = []
        self._number = self.dropped = 0
        self.share = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to look at the settings, and to write."""
        self._thread.start()

    def refresh(self) -> None:
        """Look what the endpoint wants now; while that cannot be read it stays as it was."""
        try:
            found = self._store.find(self._place.settings)
            self.share = 0.0 if found is None else float(json.loads(found[0])["sample"])
        except Exception as error:  # noqa: BLE001 - a capture that fails must not end the server
            sys.stderr.write(f"cloudml: what is to be captured could not be read: {error}\n")

    def take(self, request: bytes, request_type: str, answer: bytes, answer_type: str) -> None:
        """Keep an exchange if it is of the sample, which is spread evenly."""
        with self._lock:
            number, self._number = self._number, self._number + 1
            share = self.share
            if int((number + 1) * share) == int(number * share):
                return
            if len(self._waiting) >= MOST or max(len(request), len(answer)) > LONGEST:
                self.dropped += 1
                return
            now = datetime.now(UTC)
            sides = {"request": _side(request, request_type), "answer": _side(answer, answer_type)}
            self._waiting.append((now, json.dumps({"time": now.isoformat(), **sides}).encode()))

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write()

    def _work(self) -> None:
        self.refresh()
        turns = 0
        while not self._stopping.wait(SECONDS):
            self.write()
            turns += 1
            if turns % _REFRESH == 0:
                self.refresh()

    def write(self) -> None:
        """Write what waits: an object for each hour that it is of. What cannot be written waits on."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        hours: dict[str, list[tuple[datetime, bytes]]] = {}
        for record in taken:
            hours.setdefault(f"{record[0]:%Y/%m/%d/%H}", []).append(record)
        for hour, records in hours.items():
            uri = f"{self._place.folder}/{hour}/{records[0][0]:%M-%S}-{uuid.uuid4().hex}.jsonl"
            try:
                self._store.put(uri, b"".join(line + b"\n" for _, line in records))
            except Exception as error:  # noqa: BLE001 - a capture that fails must not end the server
                sys.stderr.write(f"cloudml: {len(records)} captured requests could not be written: {error}\n")
                with self._lock:
                    room = max(0, MOST - len(self._waiting))
                    self._waiting = records[:room] + self._waiting
                    self.dropped += max(0, len(records) - room)


def _side(body: bytes, kind: str) -> Document:
    """A body as text, or as base64 where it is none."""
    try:
        return {"type": kind, "text": body.decode()}
    except UnicodeDecodeError:
        return {"type": kind, "base64": base64.b64encode(body).decode()}


class Captured:
    """ASGI middleware that gives the exchanges of a predict route to a recorder: those that were answered well."""

    def __init__(self, app: Any, recorder: Recorder, routes: frozenset[str]) -> None:
        self._app, self._recorder, self._routes = app, recorder, routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] not in self._routes:
            await self._app(scope, receive, send)
            return
        asked, told = _Side(_header(scope.get("headers", ()), b"content-type")), _Side()

        async def receiving() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                asked.add(message.get("body", b""))
            return message

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                told.status, told.kind = message["status"], _header(message.get("headers", ()), b"content-type")
            elif message["type"] == "http.response.body":
                told.add(message.get("body", b""))
            await send(message)

        await self._app(scope, receiving, sending)
        if told.status == 200:
            self._recorder.take(asked.body, asked.kind, told.body, told.kind)


class _Side:
    """A body as it goes by; of a long one no more than tells that it is too long."""

    def __init__(self, kind: str = "") -> None:
        self.kind, self.status = kind, 0
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """One more part."""
        if self._size <= LONGEST:
            self._parts.append(part)
            self._size += len(part)

    @property
    def body(self) -> bytes:
        """All parts."""
        return b"".join(self._parts)


def _header(headers: Any, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")
