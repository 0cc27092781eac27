"""moto's state on disk: every request that changed something, in order, played again when the mock starts.

A line of JSON a request; larger bodies in files named by their SHA-256. What moto makes up (ids, tokens) comes out the
same because its random numbers are seeded with the entry's number. A line is written before its answer is sent, so a
kill of the process loses nothing that was answered. Times that moto stamps itself are those of the replay.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from cloudml_sagemaker.mock.face import chance
from cloudml_sagemaker.mock.face.compaction import compact
from cloudml_sagemaker.mock.face.incoming import Incoming, receive

log = logging.getLogger(__name__)

FORMAT = 1
INLINE = 8192
"""Bytes of a body that still stand in the journal itself."""

_LEFT_OUT = frozenset(
    {
        "HTTP_X_AMZ_SECURITY_TOKEN",
        "HTTP_USER_AGENT",
        "HTTP_AMZ_SDK_INVOCATION_ID",
        "HTTP_AMZ_SDK_REQUEST",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_CONNECTION",
    }
)
"""Headers that are secret, or mean nothing to moto."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Entry = dict[str, Any]


class Journal:
    """The journal in `folder`. Hold `lock` from moto's call until `add`: entries have the order of their effects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bodies = folder / "bodies"
        self._path = folder / "journal.jsonl"
        self._file: IO[bytes] | None = None
        self._number = 0
        self.lock = threading.RLock()
        self.warnings: list[str] = []

    def open(self, app_for: Callable[[Incoming], WsgiApp]) -> None:
        """Shorten what is there, play it to moto (`app_for` gives the application of a request), and write on."""
        self._bodies.mkdir(parents=True, exist_ok=True, mode=0o700)
        chance.install()
        head, entries = self._read()
        before = len(entries)
        entries = compact(entries, self._load_body, self._keep_body)
        self._number = max([head.get("number", 0), *(entry["n"] for entry in entries)])
        if len(entries) != before:
            self._write_all(entries)
        with _offline():
            for entry in entries:
                self._play(app_for, entry)
        self._file = self._append_to()

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Within this, on this thread, moto's random numbers follow from the number of the entry to come."""
        with chance.seeded(self._number + 1):
            yield

    def add(self, incoming: Incoming) -> None:
        """Write down a request that took effect."""
        if self._file is None:
            return
        self._number += 1
        environ = incoming.environ
        headers = {
            key: _public(key, value)
            for key, value in environ.items()
            if (key.startswith("HTTP_") or key == "CONTENT_TYPE") and key not in _LEFT_OUT
        }
        entry: Entry = {
            "n": self._number,
            "service": incoming.service,
            "operation": incoming.operation,
            "method": incoming.method,
            "uri": environ.get("RAW_URI") or incoming.path,
            "path": incoming.path,
            "query": environ.get("QUERY_STRING", ""),
            "headers": headers,
            "names": environ.get("moto.preserved_header_names") or {},
            **self._keep_body(incoming.body),
        }
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def clear(self) -> None:
        """Forget every request."""
        with self.lock:
            if self._file is not None:
                self._file.close()
            self._write_all([])
            self._file = self._append_to()

    def close(self) -> None:
        """Write no more."""
        with self.lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _append_to(self) -> IO[bytes]:
        fresh = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "ab", buffering=0)
        if fresh:
            file.write(self._head())
        return file

    def _head(self) -> bytes:
        return json.dumps({"format": FORMAT, "moto": _moto_version(), "number": self._number}).encode() + b"\n"

    def _read(self) -> tuple[dict[str, Any], list[Entry]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}, []
        whole, _, torn = data.rpartition(b"\n")
        if torn:
            # The process died while it wrote: that request was never answered.
            os.truncate(self._path, len(whole) + (1 if whole else 0))
        if not whole:
            self._path.unlink()
            return {}, []
        head, *entries = [json.loads(line) for line in whole.split(b"\n")]
        if head.get("moto") != _moto_version():
            self.warnings.append(
                f"the state of moto was written by moto {head.get('moto')}, this is {_moto_version()}: "
                "ids that it makes up may differ"
            )
            log.warning("%s", self.warnings[-1])
        return head, entries

    def _write_all(self, entries: list[Entry]) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._head())
            for entry in entries:
                file.write(json.dumps(entry).encode() + b"\n")
        fresh.replace(self._path)
        kept = {entry.get("file") for entry in entries}
        for path in self._bodies.glob("*"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _keep_body(self, body: bytes) -> Entry:
        if len(body) <= INLINE:
            return {"body": base64.b64encode(body).decode()}
        name = hashlib.sha256(body).hexdigest()
        path = self._bodies / name
        if not path.exists():
            partial = path.with_suffix(f".{threading.get_ident()}")
            partial.write_bytes(body)
            partial.replace(path)
        return {"file": name}

    def _load_body(self, entry: Entry) -> bytes:
        if "file" in entry:
            return (self._bodies / Path(entry["file"]).name).read_bytes()
        return base64.b64decode(entry.get("body", ""))

    def _play(self, app_for: Callable[[Incoming], WsgiApp], entry: Entry) -> None:
        try:
            body = self._load_body(entry)
        except OSError as error:
            log.warning("a request of the journal has lost its body: %s", error)
            return
        environ = {
            "REQUEST_METHOD": entry["method"],
            "SCRIPT_NAME": "",
            "PATH_INFO": entry["path"],
            "RAW_URI": entry["uri"],
            "REQUEST_URI": entry["uri"],
            "QUERY_STRING": entry["query"],
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            **entry["headers"],
            "CONTENT_LENGTH": str(len(body)),
            "moto.preserved_header_names": entry.get("names") or {},
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ.setdefault("HTTP_HOST", "127.0.0.1")
        try:
            incoming = receive(environ)
            with chance.seeded(entry["n"]):
                b"".join(app_for(incoming)(incoming.passed_on(), lambda *_: lambda _data: None))
        except Exception:
            # It had taken effect once, so this is another moto, or one that was damaged: the rest may still be right.
            log.warning("moto did not take %s:%s again", entry["service"], entry["operation"], exc_info=True)


def _public(key: str, value: Any) -> str:
    """A header without the signature: the journal holds nothing by which someone could sign."""
    text = str(value)
    if key == "HTTP_AUTHORIZATION" and "Credential=" in text:
        credential = text.partition("Credential=")[2].split(",", 1)[0]
        return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
    return text


def _moto_version() -> str:
    from importlib.metadata import version

    return version("moto")


@contextmanager
def _offline() -> Iterator[None]:
    """While the journal is played no message is sent to an HTTP subscriber a second time."""
    import requests

    def answer(_session: Any, *_: Any, **__: Any) -> Any:
        response = requests.Response()
        response.status_code = 200
        return response

    with patch.object(requests.Session, "request", answer):
        yield
