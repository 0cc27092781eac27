"""What was applied, remembered in the bucket: one object a pipeline, written only by whoever saw its last content.

    <bucket>/<prefix>/cloudml.json                        whose prefix it is
    <bucket>/<prefix>/state/<pipeline in the cloud>.json  what was applied; while an apply is under way, its journal

The clouds' conditional writes let one of two writers win.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from cloudml.errors import Refused, StateError
from cloudml.plan import Resource, canonical
from cloudml.remote import job_code
from cloudml.remote.parallel import in_parallel
from cloudml.remote.world import Overtaken, World

FORMAT = 1
OWNER = "cloudml.json"
FOLDER = "state"


@dataclass(frozen=True)
class Applied:
    """A resource as it was applied; of job code only what tells versions apart."""

    kind: str
    name: str
    digest: str
    document: dict[str, Any]

    @classmethod
    def of(cls, resource: Resource) -> Applied:
        """What is remembered of a resource."""
        code = resource.kind == job_code.KIND
        document = job_code.brief(resource.document) if code else resource.document
        return cls(resource.kind, resource.name, resource.digest, document)

    def resource(self) -> Resource:
        """As it was declared. Of job code the digest is right, the document an outline."""
        return Resource(self.kind, self.name, self.document, self.digest)


@dataclass(frozen=True)
class Step:
    """A change that an apply is about to make: `digest` is what the resource becomes, empty when it goes."""

    action: str
    kind: str
    name: str
    digest: str = ""


@dataclass(frozen=True)
class Pending:
    """The journal of an apply. `beat`: seconds since 1970 of its last sign of life; `failed`: why it ended early."""

    id: str
    by: str
    host: str
    pid: int
    at: str
    beat: float
    changes: tuple[Step, ...]
    done: tuple[Step, ...] = ()
    failed: str = ""

    def open(self) -> tuple[Step, ...]:
        """What is not known to be done."""
        return tuple(step for step in self.changes if step not in self.done)


@dataclass(frozen=True)
class State:
    """The object's content, and the tag by which the cloud knows this version of it; empty when there is none."""

    applied: tuple[Applied, ...] = ()
    pending: Pending | None = None
    at: str = ""
    by: str = ""
    cloudml: str = ""
    sdk: str = ""
    etag: str = ""

    def of(self, kind: str, name: str) -> Applied | None:
        """What was applied under that name."""
        return next((one for one in self.applied if (one.kind, one.name) == (kind, name)), None)

    def with_applied(self, made: Sequence[Applied], gone: Sequence[tuple[str, str]] = ()) -> State:
        """These in the place of what had their names, and those gone."""
        kept = {(one.kind, one.name): one for one in self.applied} | {(one.kind, one.name): one for one in made}
        return replace(self, applied=tuple(one for key, one in kept.items() if key not in gone))


def read(world: World, name: str) -> State:
    """The state of a pipeline; an empty one when there is none. Raises CloudError, StateError."""
    found = world.objects.get(_key(world, name))
    return State() if found is None else _parsed(world, *found, _key(world, name))


def others(world: World, name: str) -> Iterator[State]:
    """The states of the target's other pipelines. Raises CloudError, StateError."""
    for key, content in _contents(world):
        if key != _key(world, name):
            yield _parsed(world, *content, key)


def every(world: World) -> Iterator[tuple[str, State]]:
    """The name in the cloud of each pipeline of the target, and its state; what cannot be read is passed over."""
    for key, content in _contents(world):
        with suppress(StateError):
            yield key.rpartition("/")[2].removesuffix(".json"), _parsed(world, *content, key)


def _contents(world: World) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Key, content and ETag of each state of the target."""
    prefix = f"{world.place.prefix}/{FOLDER}/"
    keys = list(world.objects.listing(prefix))
    for key, found in zip(keys, in_parallel(world.objects.get, keys), strict=True):
        if found is not None:
            yield key, found


def write(world: World, name: str, state: State) -> State:
    """Put a state in the place of the version that it was made from; the state as it lies there now.

    Raises Refused (CML531) when somebody else has written since, CloudError.
    """
    key = _key(world, name)
    body = _text(world, state).encode()
    try:
        etag = world.objects.put(key, body, state.etag)
    except Overtaken as error:
        found = world.objects.get(key)
        if found is None or found[0] != body:  # else our own write, whose answer was lost
            raise moved(name, None if found is None else _parsed(world, *found, key)) from error
        etag = found[1]
    return replace(state, etag=etag)


def moved(name: str, found: State | None) -> Refused:
    """The refusal for who comes second."""
    pending = found.pending if found is not None else None
    who = (pending.by if pending else found.by if found else "") or "somebody else"
    doing = f"applies since {pending.at}" if pending else "has applied meanwhile"
    return Refused(
        f"{who} {doing}",
        code="CML531",
        where=f"pipeline {name}",
        hint="wait until that is over, then plan again: what it made is left as it is",
    )


def claim(world: World) -> None:
    """Mark the target's prefix as this project's and target's. Raises Refused (CML532) when it is another's."""
    check_owner(world)
    for above in _above(world.place.prefix):
        _refuse_other(world, above)
    mark = {"project": world.place.project, "target": world.place.target}
    key = f"{world.place.prefix}/{OWNER}"
    try:
        world.objects.put(key, canonical(mark).encode(), "")
    except Overtaken:
        check_owner(world)


def check_owner(world: World) -> bool:
    """Whether the prefix bears this target's mark; False when it bears none. Raises Refused (CML532)."""
    return _refuse_other(world, world.place.prefix)


def _refuse_other(world: World, prefix: str) -> bool:
    owner = owner_at(world, f"{prefix}/{OWNER}")
    if owner is None:
        return False
    if owner != (world.place.project, world.place.target):
        raise Refused(
            f"it belongs to project {owner[0]}, target {owner[1]}",
            code="CML532",
            where=f"{world.place.base.removesuffix(world.place.prefix)}{prefix}/",
            hint=f"give target {world.place.target} another prefix in cloudml.toml",
        )
    return True


def owner_at(world: World, key: str) -> tuple[str, str] | None:
    """Project and target that an owner's mark names; None when there is no such mark."""
    found = world.objects.get(key)
    if found is None:
        return None
    try:
        document = json.loads(found[0])
        return str(document["project"]), str(document["target"])
    except (ValueError, KeyError, TypeError):
        return None


def _above(prefix: str) -> list[str]:
    parts = prefix.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _key(world: World, name: str) -> str:
    return f"{world.place.prefix}/{FOLDER}/{name}.json"


def _text(world: World, state: State) -> str:
    document = {key: value for key, value in asdict(state).items() if key not in ("etag", "sdk")}
    return canonical({"format": FORMAT, **document, world.cloud.sdk: state.sdk})


def _parsed(world: World, content: bytes, etag: str, key: str) -> State:
    try:
        document: Mapping[str, Any] = json.loads(content)
        if document["format"] != FORMAT:
            raise StateError(
                f"the state {key} has format {document['format']}", hint="it was written by a newer cloudml: use that"
            )
        fields = {name: document.get(name, "") for name in ("at", "by", "cloudml")}
        applied = tuple(Applied(**one) for one in document["applied"])
        return State(applied, _pending(document["pending"]), **fields, sdk=document.get(world.cloud.sdk, ""), etag=etag)
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"the state {key} cannot be read: {error}",
            hint="remove that object: the next apply finds by their tags what is there",
        ) from error


def _pending(document: Mapping[str, Any] | None) -> Pending | None:
    if document is None:
        return None
    steps = {name: tuple(Step(**one) for one in document[name]) for name in ("changes", "done")}
    return Pending(**{**document, **steps})
