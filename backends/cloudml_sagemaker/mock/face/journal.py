"""moto's state on disk: every request that changed something, in order, played again when the mock starts.

A line of JSON a request; larger bodies in files named by their SHA-256. What moto makes up (ids, tokens) comes out the
same because its random numbers are seeded with the entry's number. A line is written before moto is asked, and struck
out when moto refuses: a kill of the process loses nothing that was answered, and what a full disk does not take has no
effect. Times that moto stamps itself are those of the replay.
"""

from __future__ import annotations

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
from cloudml_sagemaker.mock.face.bodies import Bodies, Entry
from cloudml_sagemaker.mock.face.compaction import compact
from cloudml_sagemaker.mock.face.incoming import Incoming, receive

log = logging.getLogger(__name__)

FORMAT = 1

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

_BEGINS = b'{"format": '
"""How a journal begins."""
_ENTRY = {"n", "service", "operation", "method", "uri", "path", "query", "headers"}
"""What every line but the first has."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class StateNotWritten(Exception):
    """The disk took no more; nothing of the request was kept, and it had no effect."""


class Journal:
    """The journal in `folder`; `lock` is held while moto is asked, so that entries have the order of their effects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bodies = Bodies(folder / "bodies")
        self._path = folder / "journal.jsonl"
        self._file: IO[bytes] | None = None
        self._number = 0
        self.lock = threading.RLock()
        self.warnings: list[str] = []

    def open(self, app_for: Callable[[Incoming], WsgiApp]) -> None:
        """Shorten what is there, play it to moto (`app_for` gives the application of a request), and write on."""
        self._bodies.open()
        chance.install()
        head, entries = self._read()
        before = len(entries)
        entries = compact(entries, self._bodies.load, lambda body: self._bodies.keep(body)[0])
        self._number = max([head.get("number", 0), *(entry["n"] for entry in entries)])
        if len(entries) != before:
            self._write_all(entries)
        self._bodies.sweep(entries)
        with _offline():
            for entry in entries:
                self._play(app_for, entry)
        self._file = self._append_to()

    @contextmanager
    def written(self, incoming: Incoming) -> Iterator[Callable[[], None]]:
        """A request is written down, and moto asked within this; on this thread its random numbers follow from the
        entry's number. Call what is given when the request had no effect; so it is too when something is raised.

        Raises StateNotWritten before.
        """
        with self.lock, chance.seeded(self._number + 1):
            if self._file is None:
                yield lambda: None
                return
            file = self._file
            size = os.fstat(file.fileno()).st_size
            kept, fresh = self._keep(incoming.body)

            def strike_out() -> None:
                os.ftruncate(file.fileno(), size)
                if fresh is not None:
                    fresh.unlink(missing_ok=True)

            try:
                _write(file, json.dumps(self._entry(incoming, kept)).encode() + b"\n")
            except OSError as error:
                strike_out()
                raise StateNotWritten(error.strerror) from error
            self._number += 1
            try:
                yield strike_out
            except BaseException:
                strike_out()
                raise

    def _keep(self, body: bytes) -> tuple[Entry, Path | None]:
        try:
            return self._bodies.keep(body)
        except OSError as error:
            raise StateNotWritten(error.strerror) from error

    def _entry(self, incoming: Incoming, body: Entry) -> Entry:
        environ = incoming.environ
        headers = {
            key: _public(key, value)
            for key, value in environ.items()
            if (key.startswith("HTTP_") or key == "CONTENT_TYPE") and key not in _LEFT_OUT
        }
        return {
            "n": self._number + 1,
            "service": incoming.service,
            "operation": incoming.operation,
            "method": incoming.method,
            "uri": environ.get("RAW_URI") or incoming.path,
            "path": incoming.path,
            "query": environ.get("QUERY_STRING", ""),
            "headers": headers,
            "names": environ.get("moto.preserved_header_names") or {},
            **body,
        }

    def clear(self) -> None:
        """Forget every request."""
        with self.lock:
            if self._file is not None:
                self._file.close()
            self._write_all([])
            self._bodies.sweep(())
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
            _write(file, self._head())
        return file

    def _head(self) -> bytes:
        return json.dumps({"format": FORMAT, "moto": _moto_version(), "number": self._number}).encode() + b"\n"

    def _read(self) -> tuple[dict[str, Any], list[Entry]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}, []
        whole, _, torn = data.rpartition(b"\n")
        if torn and whole:
            # The process died while it wrote: that request was never answered.
            os.truncate(self._path, len(whole) + 1)
        if not whole:
            self._begin_anew(torn)
            return {}, []
        head, *entries = [_line(number, line) for number, line in enumerate(whole.split(b"\n"), 1)]
        if head.get("format") != FORMAT:
            raise ValueError(f"{self._path.name} is of format {head.get('format')}, this mock reads format {FORMAT}")
        if head.get("moto") != _moto_version():
            self._warn(
                f"the state of moto was written by moto {head.get('moto')}, this is {_moto_version()}: "
                "ids that it makes up may differ"
            )
        return head, entries

    def _begin_anew(self, torn: bytes) -> None:
        """A journal without a whole line. Raises ValueError when it does not begin as one."""
        if torn and not (torn.startswith(_BEGINS) or _BEGINS.startswith(torn)):
            raise ValueError(f"{self._path.name} is no journal")
        self._path.unlink()
        if torn:
            self._warn(f"{self._path.name} held no whole line and was begun anew: what moto knew is gone")

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        log.warning("%s", text)

    def _write_all(self, entries: list[Entry]) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._head())
            for entry in entries:
                file.write(json.dumps(entry).encode() + b"\n")
        fresh.replace(self._path)

    def _play(self, app_for: Callable[[Incoming], WsgiApp], entry: Entry) -> None:
        try:
            body = self._bodies.load(entry)
        except OSError as error:
            name = f"{entry['service']}:{entry['operation']} {entry['path']}"
            self._warn(f"{name} is left out of moto's state, its body is damaged: {error}")
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


def _write(file: IO[bytes], data: bytes) -> None:
    """All of it: an unbuffered file takes what it can, and says so only in what it returns. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _line(number: int, line: bytes) -> dict[str, Any]:
    """A line of the journal: its head, or an entry. Raises ValueError."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ValueError(f"journal.jsonl, line {number}: {error}") from error
    wanted = _ENTRY if number > 1 else {"format"}
    if not isinstance(found, dict) or not wanted <= set(found):
        raise ValueError(f"journal.jsonl, line {number}: this is no {'request' if number > 1 else 'head'}")
    return found


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
