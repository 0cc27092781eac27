"""From the author's code to what the backend executes: build, validate, fit, compile.

Kept while nothing that it read changed.

The kept result lets an unchanged project run again without importing the user's code or the model's classes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml import __version__
from cloudml.backend.port import Backend, Target
from cloudml.discovery import load_backend
from cloudml.errors import Diagnostic, UnsupportedError
from cloudml.operations import tracking
from cloudml.operations.project import FILE, Project
from cloudml.plan import Resource, digest_of

if TYPE_CHECKING:
    from cloudml.code import Sources

_FORMAT = 2


@dataclass(frozen=True)
class Prepared:
    """A pipeline ready for its backend. `warnings` are findings that do not stop it, `notes` what a plan says of it."""

    pipeline: str
    resources: tuple[Resource, ...]
    warnings: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()


def prepare(project: Project, target: Target, pipeline: str | None = None) -> Prepared:
    """Raises SpecError, UnsupportedError, ProjectError or BackendError: every finding at once."""
    name = project.pipeline(pipeline)
    backend = load_backend(target.backend)
    kept = project.root / ".cloudml" / "prepared" / f"{target.name}-{name}.json"
    identity = _identity(project, target, name, backend)
    found = _recall(kept, identity)
    if found is None:
        found, reads = _prepare(project, target, name, backend)
        _keep(kept, identity, found, reads)
    return found


def _identity(project: Project, target: Target, name: str, backend: Backend) -> str:
    return digest_of(
        {
            "format": _FORMAT,
            "cloudml": __version__,
            "code": _own_stamp(backend),
            "python": sys.version,
            "place": project.pipelines[name],
            "root": str(project.root),
            "source": str(project.source),
            "target": {"name": target.name, "backend": target.backend, "settings": dict(target.settings)},
        }
    )


def _own_stamp(backend: Backend) -> list[str]:
    """Changes when cloudml or the backend is edited or reinstalled in place."""
    here = Path(__file__).parents[1]
    home = Path(sys.modules[getattr(backend.compile, "__module__", __name__)].__file__ or __file__).parent
    rooms = [here, *(here / room for room in _ROOMS), *(Path(folder) for folder in _folders(home))]
    return sorted(
        f"{entry.path} {entry.stat().st_mtime_ns}"
        for room in rooms
        if room.is_dir()
        for entry in os.scandir(room)
        if entry.name.endswith(".py")
    )


_ROOMS = ("spec", "authoring", "backend", "operations", "plan", "runtime", "serving")
"""What a compiled pipeline may depend on: `runtime` and `serving` travel to a cloud's jobs."""


def _folders(home: Path) -> list[str]:
    """The backend's own folders; its mock compiles nothing."""
    found = []
    for folder, names, _ in os.walk(home):
        names[:] = [name for name in names if name not in ("mock", "__pycache__")]
        found.append(folder)
    return found


def _prepare(project: Project, target: Target, name: str, backend: Backend) -> tuple[Prepared, dict[str, Any]]:
    from cloudml.backend.fit import fit, not_portable
    from cloudml.operations.load import load_spec, sources_of
    from cloudml.validation import raise_errors

    with tracking.watch() as reads:
        pipeline, locations = load_spec(project, name)
    findings = raise_errors(pipeline, locations)
    fitted = fit(pipeline, backend.name, backend.features)
    if fitted.gaps:
        raise UnsupportedError(fitted.gaps)
    sources = sources_of(pipeline, project)
    resources = backend.compile(pipeline, target, sources)
    notes = tuple(not_portable(pipeline, backend.name))
    prepared = Prepared(name, resources, (*findings, *fitted.emulated), notes)
    return prepared, _dependencies(project, reads, sources)


def _dependencies(project: Project, reads: tracking.Reads, sources: Sources) -> dict[str, Any]:
    """What must be unchanged for the result to hold: files by content, folders by the names in them, variables."""
    root = project.root
    files = set(tracking.relevant(reads.files | tracking.project_modules(root), root, root / ".cloudml"))
    files.add(str(root / FILE))
    for source in sources.functions.values():
        files.update(str(sources.root / path) for path, _ in source.files)
    from cloudml.code import LOCK_FILES

    files.update(str(root / name) for name in LOCK_FILES)
    folders = {str(Path(path).parent) for path in files if Path(path).is_relative_to(root)}
    return {
        "files": {path: tracking.file_digest(path) for path in sorted(files)},
        "folders": {path: tracking.listing_digest(path) for path in sorted(folders)},
        "variables": reads.variables(),
    }


def _recall(kept: Path, identity: str) -> Prepared | None:
    try:
        stored = json.loads(kept.read_bytes())
        if stored["identity"] != identity or not _unchanged(stored["reads"]):
            return None
        resources = tuple(Resource(**resource) for resource in stored["resources"])
        warnings = tuple(Diagnostic(**warning) for warning in stored["warnings"])
        return Prepared(stored["pipeline"], resources, warnings, tuple(stored["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not what this version wrote: build anew


def _unchanged(reads: Mapping[str, Mapping[str, str | None]]) -> bool:
    return (
        all(tracking.variable_digest(name) == digest for name, digest in reads["variables"].items())
        and all(tracking.listing_digest(path) == digest for path, digest in reads["folders"].items())
        and all(tracking.file_digest(path) == digest for path, digest in reads["files"].items())
    )


def _keep(kept: Path, identity: str, prepared: Prepared, reads: dict[str, Any]) -> None:
    stored = {
        "identity": identity,
        "reads": reads,
        "pipeline": prepared.pipeline,
        "resources": [resource.to_dict() for resource in prepared.resources],
        "warnings": [asdict(warning) for warning in prepared.warnings],
        "notes": list(prepared.notes),
    }
    temporary = kept.with_suffix(f".{os.getpid()}.tmp")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        marker = kept.parents[1] / ".gitignore"
        if not marker.exists():
            marker.write_text("*\n")
        temporary.write_text(json.dumps(stored), encoding="utf-8")
        os.replace(temporary, kept)
    except OSError:  # a project that cannot be written to is built each time
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
