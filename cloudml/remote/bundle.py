"""The code of a job as a document: what lies in its folder, named by what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from cloudml import spec
from cloudml.code import Sources
from cloudml.plan import Resource, digest_of
from cloudml.remote import library
from cloudml.remote.layout import Layout

VERSION = 1
Document = dict[str, Any]


class Home(Protocol):
    """Where code goes, and what it is made of: a backend's `Place`."""

    @property
    def base(self) -> str:
        """URI of the target's folder in the bucket, without a slash at the end."""

    @property
    def root(self) -> Path:
        """The project's own folder."""

    @property
    def requirements(self) -> str | None:
        """The file of what jobs install, relative to `root`."""


class Compiling(Protocol):
    """One compilation: a backend's `Context`."""

    @property
    def place(self) -> Home:
        """Where it is compiled for."""

    @property
    def sources(self) -> Sources:
        """The project's modules."""

    @property
    def layout(self) -> Layout:
        """Where each step lies."""

    @property
    def resources(self) -> list[Resource]:
        """The code of each job, so far."""


def code(
    context: Compiling, name: str, step: Document, functions: Iterable[str], cloudml: str, folder: str = "jobs"
) -> str:
    """Add a job's code to the resources; the URI of its folder. Equal code lies in one folder.

    `cloudml` is the digest of the library that travels with it.
    """
    bundle: Document = {"project": _project(context, functions), "library": cloudml}
    requirements = context.place.requirements
    if requirements is not None and bundle["project"]:
        path = context.place.root / requirements
        bundle["requirements"] = {"path": requirements, "sha256": _file(path, path.stat().st_mtime_ns)}
    document = {key: value for key, value in step.items() if value not in (None, [], {}, False)}
    document["requirements"] = "requirements" in bundle
    files: Document = {"start.py": library.start_digest(), "step.json": document, "bundle.tar.gz": bundle}
    digest = digest_of(files).removeprefix("sha256:")
    prefix = f"{context.place.base}/{folder}/{digest}/"
    context.resources.append(Resource.of("job_code", name, {"prefix": prefix, "files": files}))
    return prefix


def _project(context: Compiling, functions: Iterable[str]) -> dict[str, str]:
    """The files of the project that the functions can reach by imports, with their sha256."""
    found: dict[str, str] = {}
    for function in functions:
        found.update(context.sources.of(function).files)
    return dict(sorted(found.items()))


@lru_cache(maxsize=16)
def _file(path: Path, stamp: int) -> str:
    """sha256 of a file that was changed at `stamp`."""
    del stamp
    return hashlib.sha256(path.read_bytes()).hexdigest()


def task(context: Compiling, step: spec.BaseStep, part: str) -> Document:
    """Which step of the author's a job is for, and what that step waits for."""
    kind: Any = getattr(step, "kind")  # noqa: B009 - the base class has no kind
    return {"name": step.name, "kind": kind, "part": part, "needs": list(context.layout.needs.get(step.name, ()))}
