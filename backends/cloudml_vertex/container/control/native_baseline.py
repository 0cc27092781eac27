"""A baseline as Vertex AI's model monitoring reads it: rows in JSON lines, named by their digest, and what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cloudml.jobs.control.baseline import write
from cloudml.jobs.platform import Store
from cloudml.runtime.drift import Profile, category, is_null
from cloudml_vertex.hosting import native_monitor

Document = dict[str, Any]


def put(
    store: Store, native: Document, columns: Mapping[str, Sequence[Any]], profiles: Mapping[str, Profile]
) -> Document:
    """Write rows and description; the description, as `native_monitor` takes it.

    The same rows have the same address, so that a run which finds them normal again changes nothing.
    """
    kinds = {name: "number" if one["kind"] == "number" else "category" for name, one in sorted(profiles.items())}
    content = rows(columns, kinds)
    digest = hashlib.sha256(content).hexdigest()
    uri = f"{native['folder']}/native/baselines/{digest}.jsonl"
    store.put_once(uri, content, kms=native.get("kms"))
    data = {"baseline": uri, "kinds": kinds}
    write(store, native_monitor.data_uri(native), data)
    return data


def rows(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str]) -> bytes:
    """A JSON object a row; nulls are left out, categories are texts."""
    count = max(map(len, columns.values()), default=0)
    lines = [_row({name: columns[name][number] for name in kinds}, kinds) for number in range(count)]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def _row(values: Mapping[str, Any], kinds: Mapping[str, str]) -> Document:
    return {
        name: value if kinds[name] == "number" else category(value)
        for name, value in values.items()
        if not is_null(value)
    }
