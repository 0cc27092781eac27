"""What the sending side needs of a backend's world: where things lie, the bucket's objects, the kinds of things.

A backend's own `World` is one: the neutral half asks nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cloudml.plan import Resource
from cloudml.remote.kind import Kind


class Overtaken(Exception):
    """An object is not, or no longer, the version that was to be written over."""


class Objects(Protocol):
    """Small objects of the target's bucket, by key. Errors are the cloud's own, below `cloudml.errors.CloudError`."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Content of an object and the tag of this version of it, from one request; None when there is none."""

    def put(self, key: str, content: bytes, tag: str) -> str:
        """Write over that version, or, when `tag` is empty, only where nothing lies; the new version's tag.

        Raises Overtaken. That may be due to an earlier attempt of the same call, whose answer was lost.
        """

    def listing(self, prefix: str) -> Iterator[str]:
        """Keys that begin so."""


class Site(Protocol):
    """Where a target's things lie: a backend's `Place`."""

    @property
    def project(self) -> str:
        """The cloudml project's name."""

    @property
    def target(self) -> str:
        """The target's name."""

    @property
    def prefix(self) -> str:
        """The target's folder in the bucket."""

    @property
    def base(self) -> str:
        """The URI of that folder, without a slash at the end."""


@dataclass(frozen=True)
class Cloud:
    """What a backend tells of its cloud.

    `kinds`: all, in the order in which things are made; `name_of`: the name there of the pipeline that resources belong
    to; `labels`: those that a document declares or shows; `ours`: whether labels are this target's; `identity`: who
    asks, empty when the cloud does not tell; `sdk`: the distribution whose version a state notes; `tag`: the member by
    which the entries of a document's lists of labels are told apart, where the cloud has such lists.
    """

    kinds: Mapping[str, Kind[Any]]
    name_of: Callable[[Sequence[Resource]], str]
    labels: Callable[[Mapping[str, Any]], Mapping[str, str]]
    ours: Callable[[Mapping[str, str], Any], bool]
    identity: Callable[[Any], str]
    sdk: str
    tag: str = ""


class World(Protocol):
    """A backend's world."""

    @property
    def place(self) -> Site:
        """Where the target's things lie."""

    @property
    def memory(self) -> dict[str, Any]:
        """What is kept between two calls."""

    @property
    def objects(self) -> Objects:
        """The bucket's objects."""

    @property
    def cloud(self) -> Cloud:
        """What the backend tells of its cloud."""
