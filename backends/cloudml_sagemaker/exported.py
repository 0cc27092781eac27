"""A folder that holds an exported model version, read with suspicion: it may come from anywhere.

```
manifest.json      what the version is, how it is served, who decided what, and the digest of every file
model.tar.gz       the archive: the model and the code that serves it
sample.json        a few rows as it takes them
```
Only these three names are opened, links are not followed, and what is read has the form and the digest that it must.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.errors import CorruptArtifact, Refused
from cloudml_sagemaker.container.control import decisions, registration

FORMAT, BACKEND = 1, "sagemaker"
MANIFEST, ARCHIVE, SAMPLE = "manifest.json", "model.tar.gz", "sample.json"
LARGEST = 16 << 20
"""Bytes of a manifest or a sample; what is larger is none of ours."""
SERVED = (
    "SupportedContentTypes",
    "SupportedResponseMIMETypes",
    "SupportedRealtimeInferenceInstanceTypes",
    "SupportedTransformInstanceTypes",
)
"""Of an inference specification, what holds in every account."""
HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"(sha256|blake3|tree):[0-9a-f]{64}")
_MODEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Sent:
    """What a folder holds. `origin`: ARN of the version that was exported; `digest`: sha256 of the archive."""

    model: str
    label: str
    origin: str
    approval: str
    facts: dict[str, Any]
    container: dict[str, Any]
    specification: dict[str, Any]
    decided: tuple[decisions.Decision, ...]
    archive: Path
    digest: str


def read(folder: Path) -> Sent:
    """What a folder holds, checked. Raises Refused (CML539): it is no export; not approved. CorruptArtifact."""
    try:
        manifest = json.loads(_small(folder / MANIFEST))
        sent = _parsed(manifest, folder)
        files = {name: (str(manifest["files"][name]["sha256"]), manifest["files"][name]["size"]) for name in _FILES}
        for name, expected in files.items():
            _check(folder / name, *expected)
        sent.facts["sample"] = _rows(json.loads(_small(folder / SAMPLE)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(
            f"this is no model version that was laid down by cloudml from SageMaker: {error}",
            where=str(folder),
            hint="export it anew, with the same version of cloudml",
            code="CML539",
        ) from None
    if sent.approval != decisions.APPROVED:
        raise Refused(
            f"{sent.label} is {sent.approval} where it comes from: only an approved version is adopted",
            hint=f"cloudml approve {sent.label} --reason … there, then export it anew",
        )
    return sent


def _rows(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise TypeError(f"{SAMPLE} is no list of rows")
    return found


_FILES = (ARCHIVE, SAMPLE)


def _small(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"there is no file {path.name}")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is larger than {LARGEST} bytes")
    return path.read_bytes()


def _check(path: Path, digest: str, size: Any) -> None:
    """That a file is what the manifest says."""
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"there is no file {path.name}")
    with open(path, "rb") as file:
        whole = path.stat().st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == digest
    if not whole:
        raise CorruptArtifact(
            f"{path.name} is not what the manifest says", where=str(path), hint="export the version anew"
        )


def _parsed(manifest: dict[str, Any], folder: Path) -> Sent:
    """Raises what a document of another form makes raise."""
    if (manifest["format"], manifest["backend"]) != (FORMAT, BACKEND):
        raise ValueError(f"format {manifest['format']!r} of backend {manifest['backend']!r}")
    model = _matching(_MODEL, manifest["model"], "the model")
    container, specification = manifest["container"], manifest["specification"]
    environment = container.get("Environment") or {}
    told = [decisions.parsed(json.dumps({"format": 1, **one}).encode()) for one in manifest["decisions"]]
    if None in told:
        raise ValueError("a decision has another form")
    return Sent(
        model=model,
        label=f"{model}/{int(manifest['version']['version'])}",
        origin=_matching(re.compile(r"arn:[\w:./-]{1,250}"), manifest["origin"], "the origin"),
        approval=str(manifest["version"]["approval"]),
        facts=_facts(manifest["facts"]),
        container={"Image": _text(container["Image"]), "Environment": _texts(environment)},
        specification={name: list(map(_text, specification[name])) for name in SERVED if name in specification},
        decided=tuple(one for one in told if one is not None),
        archive=folder / ARCHIVE,
        digest=_matching(HEX, manifest["files"][ARCHIVE]["sha256"], "the digest"),
    )


def _facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the registration: of it, only what is known and has the right form."""
    texts = {name: _text(found[name]) for name in ("run", "step", "code", "summary", "name", "type", "format")}
    predictor = found.get("predictor")
    facts: dict[str, Any] = {
        **texts,
        "filename": _matching(re.compile(r"(?!\.{1,2}$)[^/\\\x00]{1,255}"), found["filename"], "the file's name"),
        "digest": _matching(_DIGEST, found["digest"], "the digest of the model"),
        "origin": _matching(HEX, found["origin"], "the identity of the registration"),
        "size": int(found["size"]),
        "predictor": None if predictor is None else _text(predictor),
        "predictor_code": _text(found.get("predictor_code", "")),
        "metrics": {_text(name): float(number) for name, number in found["metrics"].items()},
        "data": dict(found.get("data", {})),
        "parameters": dict(found.get("parameters", {})),
        "tags": _texts(found.get("tags", {})),
    }
    told = (facts["digest"], facts["metrics"], facts["predictor"], facts["predictor_code"])
    if facts["origin"] != registration.origin(*told):  # else it could pass for another version, which is there already
        raise ValueError("the identity of the registration is not that of its model and evidence")
    return facts


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(one) for name, one in value.items()}


def _matching(pattern: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{what} is {value!r}")
    return value
