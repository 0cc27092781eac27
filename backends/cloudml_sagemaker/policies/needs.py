"""What the resources of a project ask of an account: read from their documents, nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudml.plan import Resource

_BRANCHES = ("IfSteps", "ElseSteps", "ForEachBody")


@dataclass(frozen=True)
class Needs:
    """Words for what there is: `kind:queue`, `step:Training`, `action:deploy`, `champion`, `checkpoints`, `secrets`…

    `any`: nothing is known, so everything may be there. `secrets` by name, `images` and `data` (s3:// addresses
    outside of the target's own folder) as the documents have them.
    """

    words: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    machines: frozenset[tuple[str, str]] = frozenset()
    """Instance types, and what each is used for: processing, training or endpoint."""
    any: bool = False

    def has(self, *words: str) -> bool:
        """Whether one of these is there, or may be."""
        return self.any or not self.words.isdisjoint(words)


EVERYTHING = Needs(any=True)


def needs_of(resources: Iterable[Resource], base: str) -> Needs:
    """What these resources need; everything when there are none. `base`: the target's own folder, s3://…"""
    listed = list(resources)
    if not listed:
        return EVERYTHING
    words: set[str] = {f"kind:{one.kind}" for one in listed}
    secrets: set[str] = set()
    images: set[str] = set()
    data: set[str] = set()
    machines: set[tuple[str, str]] = set()
    for one in listed:
        if one.kind == "job_code":
            _job(one.document["files"].get("step.json", {}), words, secrets)
        elif one.kind == "pipeline":
            _definition(one.document["definition"], words, machines)
        elif one.kind == "endpoint":
            _endpoint(one.document, words, machines)
        images.update(str(value) for key, value in _members(one.document) if key in _IMAGES and isinstance(value, str))
        data.update(
            value
            for key, value in _members(one.document)
            if key in _ADDRESSES and isinstance(value, str) and value.startswith("s3://")
        )
    outside = frozenset(uri for uri in data if not uri.startswith(f"{base}/"))
    return Needs(frozenset(words), frozenset(secrets), frozenset(images), outside, frozenset(machines))


_IMAGES = frozenset({"ImageUri", "TrainingImage", "Image", "image"})
_ADDRESSES = frozenset({"S3Uri", "DefaultValue", "S3DataSource"})


def _job(step: Mapping[str, Any], words: set[str], secrets: set[str]) -> None:
    """What the program of a job will ask for: its action, its secrets, versions of the registry that it looks up."""
    action = step.get("action", {}).get("name")
    if action:
        words.add(f"action:{action}")
    for key, value in _members(step):
        if key == "secrets" and isinstance(value, Mapping):
            secrets.update(str(name) for name in value.values())
        elif key == "secret" and isinstance(value, str):
            secrets.add(value)
        elif key in ("champion", "model") and isinstance(value, Mapping) and "group" in value:
            words.add("champion")
        elif key == "tuning" and value:
            words.add("tuning")
        elif key == "retrain" and value:
            words.add("retrain")
        elif key == "rollback" and value:
            words.add("rollback")
    if secrets:
        words.add("secrets")


def _definition(definition: Mapping[str, Any], words: set[str], machines: set[tuple[str, str]]) -> None:
    for step in _steps(definition.get("Steps", ())):
        words.add(f"step:{step['Type']}")
        use = "processing" if step["Type"] == "Processing" else "training"
        for key, value in _members(step.get("Arguments", {})):
            if key == "InstanceType" and isinstance(value, str):
                machines.add((value, use))
            elif key == "CheckpointConfig":
                words.add("checkpoints")


def _endpoint(document: Mapping[str, Any], words: set[str], machines: set[tuple[str, str]]) -> None:
    if document.get("scaling"):
        words.add("scaling")
    for key, value in _members(document):
        if key == "InstanceType" and isinstance(value, str):
            machines.add((value, "endpoint"))


def _steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for step in steps:
        yield step
        for name in _BRANCHES:
            yield from _steps(step.get("Arguments", {}).get(name, step.get(name, ())))


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of every object inside."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key), item
            yield from _members(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _members(item)
