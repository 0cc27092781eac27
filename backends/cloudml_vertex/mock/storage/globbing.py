"""Globs of objects.list (https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob)."""

from __future__ import annotations

import re

from cloudml_vertex.mock.storage.errors import invalid

_LONGEST = 1024
_PIECE = re.compile(r"\*\*+|\*|\?|\[(!|\^)?([^\]\[]+)\]|\{([^{}]*)\}|\\.|[^*?\[{\\]", re.DOTALL)


def pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` stop at slashes, `**` does not; `[abc]`, `[!a-z]`, `{one,two}`. Raises StorageError."""
    if len(glob) > _LONGEST:
        raise invalid("matchGlob is too long.")
    found, at = "", 0
    while at < len(glob):
        piece = _PIECE.match(glob, at)
        if piece is None:
            raise invalid(f"Invalid matchGlob: {glob!r}")
        found += _regex(piece)
        at = piece.end()
    try:
        return re.compile(found, re.DOTALL)
    except re.error:
        raise invalid(f"Invalid matchGlob: {glob!r}") from None


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
