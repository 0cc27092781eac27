"""The envelope: the one JSON file that tells a step's process what to run and where things lie."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

VERSION = 1


class EnvelopeError(ValueError):
    """The envelope cannot be understood: not JSON, another version, a key that is missing or unsafe."""


class Artifact(NamedTuple):
    """A stored object: where it lies, how it is encoded, and the digest that its content must have."""

    path: str
    format: str
    digest: str | None
    filename: str


class Input(NamedTuple):
    """A parameter of the function that is bound to one artifact, or to a list of them (`items`)."""

    name: str
    type: str
    mode: str
    artifact: Artifact | None
    items: tuple[Artifact, ...] | None


class Output(NamedTuple):
    """A declared output port; `fields` are the names of a metrics port."""

    name: str
    type: str
    mode: str
    fields: tuple[str, ...]


class Pruning(NamedTuple):
    """When a trial is given up: its best report is worse than the median of its elders at the same step."""

    direction: str
    medians: dict[str, float]
    warmup_reports: int


class Envelope(NamedTuple):
    """Everything that one attempt of one step needs. All paths are absolute."""

    run: str
    step: str
    attempt: int
    function: str
    paths: tuple[str, ...]
    inputs: tuple[Input, ...]
    arguments: dict[str, Any]
    secrets: dict[str, str]
    outputs: tuple[Output, ...]
    output_dir: str
    result: str
    reports: str
    progress: str
    checkpoint: str | None
    pruning: Pruning | None
    threads: int | None
    seed: int | None


def read_envelope(path: str) -> Envelope:
    """The envelope in the file `path`.

    Raises:
        OSError: the file cannot be read.
        EnvelopeError: it is not an envelope of this version.
    """
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        document = json.loads(text)
    except ValueError as error:
        raise EnvelopeError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise EnvelopeError(f"{path} holds a {type(document).__name__}; an envelope is an object")
    return parse_envelope(document)


def parse_envelope(document: dict[str, Any]) -> Envelope:
    """The envelope from its JSON document; EnvelopeError names the first thing that is wrong."""
    version = document.get("version")
    if version != VERSION:
        raise EnvelopeError(f"envelope version {version!r}; this runtime reads version {VERSION}")
    try:
        return _parse(document)
    except KeyError as error:
        raise EnvelopeError(f"the envelope lacks {error.args[0]!r}") from error
    except (TypeError, AttributeError) as error:
        raise EnvelopeError(f"a part of the envelope has the wrong type: {error}") from error


def _parse(document: dict[str, Any]) -> Envelope:
    pruning = document.get("pruning")
    return Envelope(
        run=document["run"],
        step=document["step"],
        attempt=document.get("attempt", 1),
        function=document["function"],
        paths=tuple(document.get("paths", ())),
        inputs=tuple(_parse_input(item) for item in document.get("inputs", ())),
        arguments=dict(document.get("arguments", {})),
        secrets=dict(document.get("secrets", {})),
        outputs=tuple(_parse_output(item) for item in document.get("outputs", ())),
        output_dir=document["output_dir"],
        result=document["result"],
        reports=document["reports"],
        progress=document["progress"],
        checkpoint=document.get("checkpoint"),
        pruning=None if pruning is None else _parse_pruning(pruning),
        threads=document.get("threads"),
        seed=document.get("seed"),
    )


def _parse_input(document: dict[str, Any]) -> Input:
    items = document.get("items")
    return Input(
        name=_plain_name(document["name"]),
        type=document["type"],
        mode=document.get("mode", "value"),
        artifact=_parse_artifact(document) if items is None else None,
        items=None if items is None else tuple(_parse_artifact(item) for item in items),
    )


def _parse_artifact(document: dict[str, Any]) -> Artifact:
    path: str = document["path"]
    filename = document.get("filename") or path.rstrip("/").rpartition("/")[2]
    return Artifact(path, document["format"], document.get("digest"), _plain_name(filename))


def _parse_output(document: dict[str, Any]) -> Output:
    return Output(
        name=_plain_name(document["name"]),
        type=document["type"],
        mode=document.get("mode", "value"),
        fields=tuple(document.get("fields", ())),
    )


def _parse_pruning(document: dict[str, Any]) -> Pruning:
    direction = document["direction"]
    if direction not in ("maximize", "minimize"):
        raise EnvelopeError(f"pruning direction {direction!r}; it is 'maximize' or 'minimize'")
    return Pruning(direction, dict(document.get("medians", {})), document.get("warmup_reports", 0))


def _plain_name(name: str) -> str:
    """`name`, when it can only ever be one entry of a folder; it becomes part of paths."""
    if not name or "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise EnvelopeError(f"{name!r} is not a plain name: it must be one path component")
    return name
