"""JsonPath as far as Std:JsonGet needs it: a definite path, which leads to one value.

`$` at the start may be left out, as the developer guide does (`Output[1]`, `metrics.auc.value`). Wildcards, slices,
filters and deep scans lead to lists of unknown length and are refused.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

_SEGMENT = re.compile(
    r"\.?(?P<member>[^.\[\]'\"*?@$()\s][^.\[\]*?()]*)|\[(?P<index>-?[0-9]{1,9})\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]"
)


class PathError(Exception):
    """The path cannot be read, or leads nowhere in the document."""


def parse(path: str) -> tuple[str | int, ...]:
    """The members and indexes of a path. Raises PathError."""
    text = path.strip()
    position = 1 if text.startswith("$") else 0
    steps: list[str | int] = []
    while position < len(text):
        found = _SEGMENT.match(text, position)
        # Only the first member may stand without a dot, and only when there is no `$`.
        bare = found is not None and found["member"] is not None and text[position] != "."
        if found is None or (bare and position != 0):
            raise PathError(f"the JsonPath {path!r} cannot be read at {text[position:]!r}")
        if found["member"] is not None:
            steps.append(found["member"])
        elif found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(found["key"])
        position = found.end()
    return tuple(steps)


def read(document: Any, path: str) -> Any:
    """The value at `path`. Raises PathError."""
    value = document
    for step in parse(path):
        inside = isinstance(value, dict if isinstance(step, str) else list)
        try:
            value = value[step] if inside else _nothing(path, step)
        except LookupError:
            _nothing(path, step)
    return value


def _nothing(path: str, step: str | int) -> NoReturn:
    raise PathError(f"the JsonPath {path!r} leads nowhere: no {step!r}") from None
