"""Preconditions (https://cloud.google.com/storage/docs/request-preconditions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudml_vertex.mock.storage.errors import invalid, not_modified, unmet


@dataclass(frozen=True)
class Conditions:
    """What must hold for a request to take effect; None: not asked. Generation 0 stands for "there is no object"."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None
    etag: str = ""
    not_etag: str = ""

    def check(self, state: tuple[int, int, str] | None, *, reading: bool = False) -> None:
        """Raises 412 when the state (generation, metageneration, etag; None: nothing there) is not as asked.

        A reader who has the state already (a "not" condition that fails) gets 304.
        """
        generation, metageneration, etag = state or (0, 0, "")
        if self.generation is not None and generation != self.generation:
            raise unmet()
        if self.metageneration is not None and (state is None or metageneration != self.metageneration):
            raise unmet()
        if self.etag and not _listed(self.etag, etag):
            raise unmet()
        had = not_modified() if reading else unmet("If-None-Match")
        if self.not_generation is not None and generation == self.not_generation:
            raise had
        if self.not_metageneration is not None and (state is None or metageneration == self.not_metageneration):
            raise had
        if self.not_etag and etag and _listed(self.not_etag, etag):
            raise had

    def document(self) -> dict[str, int]:
        """What a resumable upload keeps of it."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def of_query(query: Mapping[str, str], headers: Mapping[str, str] | None = None, *, kind: str = "") -> Conditions:
    """The conditions of a request: `ifGenerationMatch` and its kin, of the source for `kind` "Source"; ETags from
    headers. Raises StorageError."""
    found = headers or {}
    return Conditions(
        _number(query, f"if{kind}GenerationMatch"),
        _number(query, f"if{kind}GenerationNotMatch"),
        _number(query, f"if{kind}MetagenerationMatch"),
        _number(query, f"if{kind}MetagenerationNotMatch"),
        found.get("if-match", ""),
        found.get("if-none-match", ""),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    given = query.get(name)
    if given is None:
        return None
    text = str(given)
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise invalid(f"Invalid value for {name}: {text[:50]!r} is not a generation.")
    return int(text)


def _listed(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return bool(etag) and (etag in tags or "*" in tags)
