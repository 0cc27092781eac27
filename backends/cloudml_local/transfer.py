"""A model version as a folder: its artifact, the code that serves it, its lineage. Laid down here, taken up elsewhere.

```
manifest.json      what the version is, and the digest of every file
artifact/<name>    the model
code/…             the files that its predictor may import
```
The folder may come from anywhere: names stay inside it, and nothing enters the store whose digest is not its own.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cloudml.backend.records import ModelVersion
from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml.runtime.digest import UnsafeTree, matches
from cloudml_local.state.bundles import Bundles, bundle_name, files_of
from cloudml_local.state.store import Store, copy_out, remove, store_error

FORMAT = 1
_BODY = (
    "digest", "format", "filename", "type", "metrics", "predictor", "predictor_code", "sample", "run", "step", "code",
    "data", "parameters", "summary",
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """What a folder holds: a version's body as the registry keeps it, where it came from, who decided what of it."""

    model: str
    body: dict[str, Any]
    origin: str
    decisions: tuple[dict[str, str], ...]


def lay_down(version: ModelVersion, body: dict[str, Any], store: Store, bundles: Path, folder: Path) -> None:
    """Write the folder; the manifest last. Raises CorruptArtifact, NotFound when its code is gone, StateError."""
    if not store.verify(body["digest"]):
        raise CorruptArtifact(f"the model of {version.model}/{version.version} is not what it was registered as")
    code = bundles / body["bundle"]
    if not code.is_dir():
        raise NotFound(f"the code of {version.model}/{version.version} is gone", where=str(code))
    manifest = {
        "format": FORMAT,
        "backend": "local",
        "model": version.model,
        "approval": version.approval,
        "origin": f"{version.model}/{version.version} of {version.run}",
        "body": {name: body[name] for name in _BODY},
        "decisions": list(version.decisions),
        "code": files_of(code),
    }
    try:
        (folder / "artifact").mkdir(parents=True)
        copy_out(store.path(body["digest"]), folder / "artifact" / body["filename"])
        copy_out(code, folder / "code")
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    except OSError as error:
        raise store_error(error, folder) from error


def take_up(folder: Path, store: Store, bundles: Path) -> Sent:
    """Bring a version's artifact and code into this state. Safe to repeat.

    Raises Refused for a folder that is none of ours, CorruptArtifact for content that is not what the manifest says.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        sent = _parsed(manifest)
        artifact = folder / "artifact" / _plain(sent.body["filename"])
        code = {_inside(path): str(digest) for path, digest in manifest["code"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"this is no model version that was laid down by cloudml: {error}",
            where=str(folder),
            hint="export it anew, with the same version of cloudml",
        ) from None
    _take_artifact(artifact, sent.body["digest"], store)
    Bundles(bundles).materialize(folder / "code", code)
    return Sent(sent.model, {**sent.body, "bundle": bundle_name(code)}, sent.origin, sent.decisions)


def _parsed(manifest: dict[str, Any]) -> Sent:
    if manifest["approval"] != "approved":
        raise _unapproved(str(manifest["origin"]), str(manifest["approval"]))
    if manifest["format"] != FORMAT or manifest["backend"] != "local":
        raise ValueError(f"format {manifest['format']!r} of backend {manifest['backend']!r}")
    decisions = tuple(
        {name: str(one[name]) for name in ("action", "who", "reason", "at")} for one in manifest["decisions"]
    )
    body = {name: manifest["body"][name] for name in _BODY}
    return Sent(str(manifest["model"]), body, str(manifest["origin"]), decisions)


def _unapproved(origin: str, approval: str) -> Refused:
    return Refused(
        f"{origin} is {approval} where it comes from: only an approved version is adopted",
        hint="approve it there, and export it again",
    )


def _plain(name: str) -> str:
    if PurePosixPath(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not the name of a file")
    return name


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute():
        raise ValueError(f"{path!r} leads out of the folder")
    return path


def _take_artifact(source: Path, digest: str, store: Store) -> None:
    if store.has(digest) and store.verify(digest):
        return
    workplace = Path(tempfile.mkdtemp(prefix=".adopt-", dir=store.root))
    try:
        copy = workplace / "artifact"
        copy_out(source, copy)
        if not _whole(copy, digest):
            raise CorruptArtifact(f"{source.name} is not what the manifest says", where=str(source))
        store.adopt(copy, digest)
    except OSError as error:
        raise store_error(error, source) from error
    finally:
        remove(workplace)


def _whole(path: Path, digest: str) -> bool:
    try:
        return not path.is_symlink() and matches(path, digest)
    except UnsafeTree:
        return False
