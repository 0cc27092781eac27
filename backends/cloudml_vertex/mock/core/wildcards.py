"""Wildcards in the names of objects, as Cloud Storage's tools and its listing have them.

https://cloud.google.com/storage/docs/wildcards, to which the docstring of GcsSource.uris refers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml_vertex.mock.core import gcs

if TYPE_CHECKING:
    from cloudml_vertex.mock.core.world import World

_LONGEST = 1024
_PIECE = re.compile(r"\*\*+|\*|\?|\[(!|\^)?([^\]\[]+)\]|\{([^{}]*)\}|\\.|[^*?\[{\\]", re.DOTALL)
_WILD = re.compile(r"[*?\[{]")


def pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` stop at slashes, `**` does not; `[abc]`, `[!a-z]`, `{one,two}`. Raises ValueError."""
    if len(glob) > _LONGEST:
        raise ValueError("it is too long")
    found, at = "", 0
    while at < len(glob):
        piece = _PIECE.match(glob, at)
        if piece is None:
            raise ValueError(f"invalid wildcards: {glob!r}")
        found += _regex(piece)
        at = piece.end()
    try:
        return re.compile(found, re.DOTALL)
    except re.error:
        raise ValueError(f"invalid wildcards: {glob!r}") from None


def matching(world: World, uri: str) -> list[str]:
    """The URIs of the objects that a `gs://` URI names, with or without wildcards, in order; none when there are none.

    Raises GcsMissing for what is no URI or names no bucket.
    """
    wild = _WILD.search(uri)
    bucket, name = gcs.split_uri(uri)
    gcs.bucket_folder(world, bucket)
    if wild is None or gcs.find(world, bucket, name) is not None:
        return [uri] if gcs.exists(world, uri) and not uri.endswith("/") else []
    try:
        wanted = pattern(name)
    except ValueError:
        return []
    base = len(f"gs://{bucket}/")
    return [one for one in gcs.walk(world, uri[: wild.start()]) if wanted.fullmatch(one, base)]


def _regex(piece: re.Match[str]) -> str:
    text = piece[0]
    fixed = {"*": "[^/]*", "?": "[^/]"}.get(text)
    if fixed is not None:
        return fixed
    if text.startswith("**"):
        return ".*"
    if text.startswith("["):
        inside = re.sub(r"([\\&~|^])", r"\\\1", piece[2])
        return f"[{'^' if piece[1] else ''}{inside}]"
    if text.startswith("{"):
        return "(?:" + "|".join(pattern(one).pattern for one in piece[3].split(",")) + ")"
    return re.escape(text[-1])
