"""Resource names: `projects/P/locations/L/COLLECTION/ID/...`. Inside, P is always the project's number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml_vertex.mock.core.errors import invalid

if TYPE_CHECKING:
    from cloudml_vertex.mock.core.world import World

_PROJECT = re.compile(r"projects/([^/]+)(?=/|\Z)")
_PROJECT_ID = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]|\d{1,19}")
_SEGMENT = re.compile(r"[^/\x00-\x1f\x7f]+")


def canonical(world: World, name: str) -> str:
    """The name with the project's number in place of its id, as Vertex AI answers. Raises INVALID_ARGUMENT.

    A name that begins with a service's host (`//aiplatform.googleapis.com/...`) is taken without it.
    """
    bare = re.sub(r"^//[a-z0-9.-]+/", "", name)
    found = _PROJECT.match(bare)
    if found is None:
        return bare
    if not _PROJECT_ID.fullmatch(found[1]):
        raise invalid(f"{found[1]!r} is not the id or the number of a project.")
    return f"projects/{world.project_number(found[1])}{bare[found.end() :]}"


def parse(name: str, pattern: str) -> tuple[str, ...]:
    """What stands for each `*` of the pattern: `parse(name, "projects/*/locations/*/models/*")`.

    Raises INVALID_ARGUMENT.
    """
    parts, expected = name.split("/"), pattern.split("/")
    fits = len(parts) == len(expected) and all(
        _SEGMENT.fullmatch(part) and (wanted in {"*", part}) for part, wanted in zip(parts, expected, strict=True)
    )
    if not fits or any(part in {".", ".."} for part in parts):
        raise invalid(f"The name {name!r} is not of the form {pattern!r}.")
    return tuple(part for part, wanted in zip(parts, expected, strict=True) if wanted == "*")


def matches(name: str, pattern: str) -> bool:
    """Whether a name has the form of the pattern."""
    parts, expected = name.split("/"), pattern.split("/")
    return len(parts) == len(expected) and all(
        wanted in {"*", part} and part for part, wanted in zip(parts, expected, strict=True)
    )


def child(parent: str, collection: str, identifier: str) -> str:
    """The full name of a resource below `parent`."""
    return f"{parent}/{collection}/{identifier}"


def parent_of(name: str) -> str:
    """The name without its last collection and id."""
    return name.rsplit("/", 2)[0]


def id_of(name: str) -> str:
    """The last segment."""
    return name.rpartition("/")[2]


def new_id(world: World, kind: str) -> str:
    """19 digits, as Vertex AI gives ids."""
    return world.unique_number(kind)


def check_id(value: str, rule: re.Pattern[str], field: str, what: str) -> str:
    """The id when it fits the rule; `what` says the rule in words. Raises INVALID_ARGUMENT."""
    if not rule.fullmatch(value):
        raise invalid(f"{field}: {value!r} is not valid: {what}")
    return value
