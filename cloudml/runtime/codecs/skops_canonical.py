"""Skops archives made canonical: the same estimator gives the same bytes, so that it keeps its digest.

A raw archive carries the objects' memory addresses, random file names and the time of day. All three are only
labels: here they become running numbers and a fixed date.
"""

from __future__ import annotations

import io
import json
from typing import Any

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)


def canonical_archive(archive: bytes) -> bytes:
    """The archive with stable labels. It loads to an equal estimator."""
    from zipfile import ZIP_STORED, ZipFile, ZipInfo

    with ZipFile(io.BytesIO(archive)) as source:
        schema = json.loads(source.read(SCHEMA))
        files = _relabel(schema)
        target = io.BytesIO()
        with ZipFile(target, "w", compression=ZIP_STORED) as result:
            for old, new in files.items():
                result.writestr(ZipInfo(new, EPOCH), source.read(old))
            result.writestr(ZipInfo(SCHEMA, EPOCH), json.dumps(schema))
    return target.getvalue()


def _relabel(schema: dict[str, Any]) -> dict[str, str]:
    """Number the nodes and their files in the order of the document, in place; returns the files' new names by old."""
    identities: dict[int, int] = {}
    files: dict[str, str] = {}
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(reversed(node))
            continue
        if not isinstance(node, dict):
            continue
        if "__loader__" in node:
            _relabel_node(node, identities, files)
        pending.extend(reversed(list(node.values())))
    return files


def _relabel_node(node: dict[str, Any], identities: dict[int, int], files: dict[str, str]) -> None:
    identity, file = node.get("__id__"), node.get("file")
    if isinstance(identity, int):
        node["__id__"] = identities.setdefault(identity, len(identities) + 1)
    if isinstance(file, str):
        node["file"] = files.setdefault(file, f"{len(files) + 1}.{file.rpartition('.')[2]}")
