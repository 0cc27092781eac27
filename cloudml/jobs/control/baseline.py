"""A monitor's baseline: profiles named by their digest, and a small document that says which ones hold now."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cloudml.jobs.platform import Store

VERSION = 1
POINTER = "baseline.json"

Document = dict[str, Any]


def put(store: Store, folder: str, profiles: Document, served: Document, at: str) -> Document:
    """Make these profiles the baseline of what an endpoint serves; the pointer as it is now.

    `served`: which version of which model the baseline is put for. A baseline that says the same already stays as it
    is, with its time: the same run twice changes nothing.
    """
    content = json.dumps({"version": VERSION, "columns": profiles}, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    uri = f"{folder}/baselines/{digest.removeprefix('sha256:')}.json"
    store.put_once(uri, content)
    wanted = {"version": VERSION, "digest": digest, "profiles": uri, "endpoint": served, "at": at}
    known = standing(store, folder)
    if known is not None and {**known, "at": at} == wanted:
        return known
    write(store, f"{folder}/{POINTER}", wanted)
    return wanted


def standing(store: Store, folder: str) -> Document | None:
    """The pointer; None when no run has put a baseline yet."""
    found = store.find(f"{folder}/{POINTER}")
    if found is None:
        return None
    pointer: Document = json.loads(found[0])
    return pointer


def profiles(store: Store, pointer: Document) -> Document:
    """The profiles that a pointer names, by column. Raises ValueError: they are not what their digest says."""
    content = store.get(pointer["profiles"])
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != pointer["digest"]:
        raise ValueError(f"{pointer['profiles']} is damaged: run the pipeline again")
    found: Document = json.loads(content)["columns"]
    return found


def write(store: Store, uri: str, document: Any) -> None:
    """A JSON document to an address."""
    store.put(uri, json.dumps(document, sort_keys=True, indent=1).encode())
