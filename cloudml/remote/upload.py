"""Brings what a job needs to a cloud's bucket: the resources of kind `job_code`, under keys that their content names.

An upload is safe to repeat and to break off: an object is put whole or not at all, and what is there with the right
mark is left alone. `step.json` is put last, so that where it lies everything else lies too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from cloudml.plan.resource import Resource
from cloudml.remote.packing import KIND, STEP, Builder, mark

MARK = "cloudml-content"
"""The user metadata that says what an object was made of. Of a bundle: of which files, not its bytes, which another
machine's compression may make otherwise."""

_PARALLEL = 16
_WORTH_A_COPY = 16 * 1024
"""Bytes from which a copy inside the bucket is cheaper than sending them again."""


class Marked(Protocol):
    """Objects that bear a mark, by URI. Safe to share between threads; errors are the cloud's own."""

    def size(self, uri: str, marked: str) -> int | None:
        """Bytes of what lies there with that mark; None when nothing does."""

    def send(self, uri: str, content: bytes, marked: str) -> None:
        """Put an object whole, with its mark; the cloud checks a checksum."""

    def copy(self, source: str, uri: str) -> bool:
        """Whether the cloud copied it, mark included; what was sent may be gone already."""


@dataclass(frozen=True)
class Uploaded:
    """An object that a job needs. `size` in bytes; `new`: whether it had to be put."""

    uri: str
    size: int
    new: bool


def upload(store: Marked, builder: Builder, resources: Iterable[Resource]) -> tuple[Uploaded, ...]:
    """Put what is missing of every `job_code` among `resources`. Raises Refused, and the cloud's own errors."""
    uploader = Uploader(store, builder)
    jobs = {resource.document["prefix"]: resource.document for resource in resources if resource.kind == KIND}
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="upload") as pool:
        made = pool.map(uploader.put, jobs.values())
        return tuple(one for job in made for one in job)


class Uploader:
    """Puts job code; safe to share between threads.

    A bundle that several jobs share goes over the line once: for the others the cloud copies it.
    """

    def __init__(self, store: Marked, builder: Builder) -> None:
        self._store = store
        self._builder = builder
        self._sent: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def put(self, document: Mapping[str, Any]) -> list[Uploaded]:
        """What is missing of one `job_code` document; all of it where the last to come is.

        Raises Refused, and the cloud's own errors.
        """
        prefix, files = document["prefix"].rstrip("/"), document["files"]
        contents = self._builder.build(document)
        there = self._store.size(f"{prefix}/{STEP}", mark(files[STEP])) is not None
        return [self._object(f"{prefix}/{name}", one, mark(files[name]), there) for name, one in contents.items()]

    def _object(self, uri: str, content: bytes, marked: str, look: bool) -> Uploaded:
        size = self._store.size(uri, marked) if look else None
        if size is not None:
            return Uploaded(uri, size, False)
        if len(content) < _WORTH_A_COPY:
            self._store.send(uri, content, marked)
            return Uploaded(uri, len(content), True)
        with self._turn(marked):
            known = self._sent.get(marked)
            if known is None:
                self._store.send(uri, content, marked)
                self._sent[marked] = uri
        if known is not None and not self._store.copy(known, uri):
            self._store.send(uri, content, marked)
        return Uploaded(uri, len(content), True)

    def _turn(self, marked: str) -> threading.Lock:
        """One sends it first; who comes meanwhile waits for that."""
        with self._lock:
            return self._turns.setdefault(marked, threading.Lock())
