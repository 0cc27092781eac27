"""What an artifact was made of: the data and the arguments of its job. It travels in the artifact's own record."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from cloudml.runtime.digest import UnsafeTree, measure

MOST = 1 << 30
"""Bytes of a user's own file or folder up to which it is hashed; reading more would cost a job noticeable time."""
LONGEST = 16 * 1024
"""Characters of an argument as JSON; a longer one is data, and only its digest is kept."""


def lineage(inputs: list[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
    """`{"data": {input: digest, or a list of them}, "parameters": {argument: value}}` of an envelope's members.

    What is too large to be hashed is told as an empty text.
    """
    data: dict[str, Any] = {
        one["name"]: [item["digest"] for item in one["items"]] if "items" in one else _digest(one) for one in inputs
    }
    parameters = {}
    for name, value in arguments.items():
        text = json.dumps(value, sort_keys=True)
        if len(text) <= LONGEST:
            parameters[name] = value
        else:
            data[name] = f"sha256:{sha256(text.encode()).hexdigest()}"
    return {"data": data, "parameters": parameters}


def _digest(one: dict[str, Any]) -> str:
    """An artifact's own digest; of a user's file, the one that the local backend would name it by."""
    if one["digest"] is not None:
        return str(one["digest"])
    path = Path(one["path"])
    try:
        return measure(path)[0] if _size(path) <= MOST else ""
    except (OSError, UnsafeTree):
        return ""


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum((Path(where, name)).lstat().st_size for where, _, names in os.walk(path) for name in names)
