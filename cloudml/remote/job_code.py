"""Job code: the folders in the bucket that jobs start from, named by what they hold (`cloudml.remote.upload`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Live, Owned
from cloudml.remote.packing import KIND, STEP, Builder, mark
from cloudml.remote.upload import Marked, Uploader

__all__ = ["KIND", "brief", "job_code", "recalled"]


class Remembers(Protocol):
    """A backend's world, as far as it is needed here."""

    @property
    def memory(self) -> dict[str, Any]:
        """What is kept between two calls."""


W = TypeVar("W", bound=Remembers)


def job_code(store: Callable[[W], Marked], builder: Callable[[W], Builder]) -> Kind[W]:
    """The kind, for a backend whose objects and bytes these make."""

    def read(world: W, resource: Resource) -> Live | None:
        """As declared when `step.json`, which is put last, lies there with its mark."""
        uri = f"{resource.document['prefix'].rstrip('/')}/{STEP}"
        there = store(world).size(uri, mark(resource.document["files"][STEP])) is not None
        return Live(resource.document) if there else None

    def create(world: W, resource: Resource) -> None:
        """Put what is missing. Raises Refused when the code is no longer what was compiled."""
        uploader = world.memory.get(KIND)
        if uploader is None:
            uploader = world.memory.setdefault(KIND, Uploader(store(world), builder(world)))
        uploader.put(resource.document)

    def update(world: W, resource: Resource, fields: tuple[str, ...]) -> None:
        """Another folder beside the old one, which runs of before still start from."""
        create(world, resource)

    return Kind(KIND, read, create, update, _delete, _owned)


def _delete(world: Any, name: str) -> None:
    """Nothing: old runs start from it again when they are retried. `destroy` removes the folders of all jobs."""


def _owned(world: Any) -> Iterator[Owned]:
    """None by label: it lies below the target's prefix."""
    return iter(())


def brief(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as it is remembered: where, and the mark of each file instead of what it was made of."""
    return {
        "prefix": document["prefix"],
        "files": {name: mark(wanted) for name, wanted in document["files"].items()},
    }


def recalled(remembered: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """What was remembered, in the form of a document: a file that did not change is as desired."""
    files = {
        name: wanted if mark(wanted) == remembered.get("files", {}).get(name) else remembered["files"].get(name)
        for name, wanted in desired["files"].items()
    }
    return {"prefix": remembered.get("prefix", ""), "files": files}
