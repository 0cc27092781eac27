"""The part of cloudml that travels to every job, beside the project's own code: pure Python, nothing to install.

Read from the installed packages. What only a person's machine needs (command line, use cases, planning, tests, mocks)
stays home. A job imports it out of one archive, which holds each module as source and compiled: a fresh container
neither unpacks nor compiles what it does not use, and another version of Python than ours reads the sources.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

START = "start.py"
"""The entry of every job, which lies beside the bundle: it unpacks it."""

ENTRY = "cloudml_entry"
"""The module that `start.py` imports out of the library: it knows the cloud."""

ARCHIVE = "library.zip"
"""The library inside the bundle."""

_TRAVELS = frozenset({"__init__.py", "authoring", "errors", "jobs", "runtime", "serving", "spec"})
"""The rooms of cloudml that a job imports, or the project's modules do beside a step's function."""
_UNCHECKED = (0b01).to_bytes(4, "little") + bytes(8)
"""PEP 552: compiled code that is not held against its source; the two come in one archive."""


def files(backend: str, rooms: Sequence[str]) -> dict[str, Path]:
    """Every file of the library by its path inside it, sorted: cloudml's own, and these rooms of a backend's package.

    The backend's `container/entry.py` becomes the module `ENTRY`.
    """
    neutral, own = _home("cloudml"), _home(backend)
    found = {
        f"cloudml/{path.relative_to(neutral).as_posix()}": path
        for path in neutral.rglob("*.py")
        if path.relative_to(neutral).parts[0] in _TRAVELS
    }
    found[f"{backend}/__init__.py"] = own / "__init__.py"
    found[f"{ENTRY}.py"] = own / "container" / "entry.py"
    for folder in rooms:
        for path in (own / folder).rglob("*.py"):
            found[f"{backend}/{path.relative_to(own).as_posix()}"] = path
    return dict(sorted(found.items()))


def pack(contents: dict[str, bytes]) -> bytes:
    """The archive of these sources. The same bytes for the same sources and the same version of Python."""
    key = tuple(sorted(contents.items()))
    if key not in _packed:
        _packed.clear()
        _packed[key] = _archive(key)
    return _packed[key]


_packed: dict[tuple[tuple[str, bytes], ...], bytes] = {}


def _archive(sources: tuple[tuple[str, bytes], ...]) -> bytes:
    """Each member compressed by itself: a job inflates what it imports, an archive around it costs little."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sources:
            code = compile(source, f"/{ARCHIVE}/{name}", "exec", dont_inherit=True)
            compiled = importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code)
            for member, content in ((f"{name}c", compiled), (name, source)):
                archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)  # dated 1980, always
    return raw.getvalue()


def start_file() -> Path:
    """The program that a job's container is told to run."""
    return _home("cloudml") / "jobs" / START


@cache
def start_digest() -> str:
    """sha256 of the program that a job's container is told to run."""
    return hashlib.sha256(start_file().read_bytes()).hexdigest()


def digest_of(contents: dict[str, bytes]) -> str:
    """sha256 over the files' paths and contents, in the order of their paths."""
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n".encode())
    return total.hexdigest()


def _home(package: str) -> Path:
    """The folder of an installed package; `find_spec` of a top-level package imports nothing."""
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    return Path(spec.origin).parent
