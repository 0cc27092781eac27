"""Partial responses: `fields=items(name,size),nextPageToken` (https://cloud.google.com/storage/docs/json_api#partial-response)."""

from __future__ import annotations

import json
import re
from typing import Any

from cloudml_vertex.mock.storage.errors import invalid
from cloudml_vertex.mock.storage.http import Answer, json_answer

_TOKEN = re.compile(r"[\w*-]+|[(),/]|(?P<bad>\S)")
_DEEPEST = 20
Tree = dict[str, "Tree"]


def selected(answer: Answer, fields: str) -> Answer:
    """The answer with nothing but the named fields. Raises StorageError for what is no selection."""
    tokens = list(_TOKEN.finditer(fields))
    if not tokens or any(found["bad"] for found in tokens):
        raise invalid(f"Invalid field selection {fields[:100]}")
    words = [found[0] for found in tokens]
    tree = _list(words, fields, 0)
    if words:
        raise invalid(f"Invalid field selection {fields[:100]}")
    return json_answer(_only(json.loads(b"".join(answer.chunks)), tree), answer.status, answer.headers[1:])


def _list(words: list[str], text: str, depth: int) -> Tree:
    """`a,b/c,d(e,f)`: reads the words that belong to it."""
    if depth > _DEEPEST:
        raise invalid(f"Invalid field selection {text[:100]}")
    tree: Tree = {}
    while True:
        node = tree
        while True:
            if not words or words[0] in "(),/":
                raise invalid(f"Invalid field selection {text[:100]}")
            node = node.setdefault(words.pop(0), {})
            if words[:1] != ["/"]:
                break
            words.pop(0)
        if words[:1] == ["("]:
            words.pop(0)
            node.update(_list(words, text, depth + 1))
            if words[:1] != [")"]:
                raise invalid(f"Invalid field selection {text[:100]}")
            words.pop(0)
        if words[:1] != [","]:
            return tree
        words.pop(0)


def _only(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_only(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    if "*" in tree:
        return {key: _only(one, tree.get(key, tree["*"])) for key, one in value.items()}
    return {key: _only(one, tree[key]) for key, one in value.items() if key in tree}
