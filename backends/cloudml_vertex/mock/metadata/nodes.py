"""Contexts, artifacts and executions: what they have in common, and create, get, list, update, delete, purge.

Private keys: `_contexts` of an artifact or execution are the contexts to which it belongs, `_events` of an execution
are its events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudml.mocks.store import Scope, Table
from cloudml_vertex.mock.core import etags, filters, labels, lro, masks, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.filters import Field
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.metadata import stores

Document = dict[str, Any]
METADATA = 200 * 1024
"""Bytes of `metadata` (docstrings of Artifact, Context, Execution)."""
SAMPLE = 100
_COMMON = ("display_name", "labels", "metadata", "description", "schema_title", "schema_version")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SPECIAL = re.compile(rf"\bin_context\(\s*(?P<in>{_QUOTED})\s*\)|\bmetadata\.\"(?P<key>[^\"]*)\"|(?P<text>{_QUOTED})")
_TYPES = ((bool, "bool_value"), (int, "number_value"), (float, "number_value"), (str, "string_value"))


@dataclass(frozen=True)
class Kind:
    """One kind of node. `message` as the RPCs call it ("Context"), its collection, and the fields that clients set."""

    message: str
    collection: str
    fields: tuple[str, ...]

    @property
    def key(self) -> str:
        """The field of requests that holds one: `context`."""
        return self.message.lower()

    def table(self, world: World, scope: Scope) -> Table:
        """All of that kind, by name."""
        return world.table(self.message, scope)

    def need(self, world: World, scope: Scope, name: str) -> Document:
        """The node of that name. Raises INVALID_ARGUMENT, NOT_FOUND."""
        names.parse(name, f"{stores.PATTERN}/{self.collection}/*")
        found = self.table(world, scope).get(name)
        if found is None:
            raise not_found(name)
        return found

    def create(self, call: Call) -> Document:
        """Make one in a store."""
        stores.need(call, call.parent)
        identifier = stores.new_id(call, f"{self.key}_id", self.message)
        name = names.child(call.parent, self.collection, identifier)
        if name in self.table(call.world, call.scope):
            raise already_exists(f"{self.message} '{name}' already exists.")
        return self._made(call, name, call.params[self.key])

    def _made(self, call: Call, name: str, given: Document) -> Document:
        document = {key: given[key] for key in self.fields if key in given}
        document.update(name=name, create_time=call.stamp)
        return public(self._put(call, document))

    def _put(self, call: Call, document: Document) -> Document:
        labels.display_name(document.get("display_name"), required=False)
        labels.check(document.get("labels"))
        if "metadata" in document:
            document["metadata"] = _metadata(document["metadata"])
        keep(self.table(call.world, call.scope), document, call.stamp)
        return document

    def get(self, call: Call) -> Document:
        """One of them."""
        return public(self.need(call.world, call.scope, call.name))

    def listing(self, call: Call) -> Document:
        """Those of a store, by filter."""
        stores.need(call, call.parent)
        asked = replace(call, params={**call.params, "filter": plain_filter(call)})
        result = listed(asked, self.inside(call), self.collection, filters=self.filters(call), order=_ORDER)
        return {**result, self.collection: [public(row) for row in result[self.collection]]}

    def inside(self, call: Call) -> list[Document]:
        """All of the store that the request names."""
        rows = self.table(call.world, call.scope).items()
        return [row for name, row in rows if name.startswith(f"{call.parent}/")]

    def filters(self, call: Call) -> Mapping[str, Field]:
        """What filters may name, as the docstrings of the List requests have it."""
        fields: dict[str, Field] = {
            **{name: name for name in ("name", "display_name", "schema_title", "create_time", "update_time")},
            "metadata": lambda row: _typed(row.get("metadata", {})),
        }
        if self is CONTEXT:
            parents = {name: row.get("parent_contexts", []) for name, row in self.table(call.world, call.scope).items()}
            fields["parent_contexts"] = lambda row: row.get("parent_contexts", [])
            fields["child_contexts"] = lambda row: [child for child, own in parents.items() if row["name"] in own]
            return fields
        return {
            **fields,
            "state": lambda row: row.get("state", "STATE_UNSPECIFIED"),
            "in_context": lambda row: row.get("_contexts", []),
            **({"uri": "uri"} if self is ARTIFACT else {}),
        }

    def update(self, call: Call) -> Document:
        """Change one; `allow_missing` makes it. Without a mask every field that is given."""
        patch = call.params[self.key]
        names.parse(call.name, f"{stores.PATTERN}/{self.collection}/*")
        document = self.table(call.world, call.scope).get(call.name)
        if document is None:
            if not call.params.get("allow_missing"):
                raise not_found(call.name)
            stores.need(call, names.parent_of(call.name))
            return self._made(call, call.name, patch)
        etags.check(call.world, document, patch.get("etag"))
        paths = [path for path in call.params.get("update_mask") or () if path != "etag"]
        return public(self._put(call, masks.apply(document, patch, paths, self.fields)))

    def delete(self, call: Call) -> Document:
        """Begin to delete one. An etag of another state is FAILED_PRECONDITION (docstrings of the Delete requests)."""
        document = self.need(call.world, call.scope, call.name)
        if call.params.get("etag") and call.params["etag"] != document["etag"]:
            raise failed_precondition(f"The etag does not match the current one of '{call.name}'.")
        return lro.begin(
            call,
            on=call.name,
            metadata="DeleteOperationMetadata",
            response="Empty",
            work=("metadata.delete", self._work(call, [call.name])),
        )

    def purge(self, call: Call) -> Document:
        """Begin to delete whatever a filter wants; without `force` only tell what that would be."""
        stores.need(call, call.parent)
        wanted = filters.wanted(plain_filter(call), self.filters(call))
        found = [row["name"] for row in self.inside(call) if wanted(row)]
        plural = f"{self.message}s"
        return lro.begin(
            call,
            on=call.parent,
            metadata=f"Purge{plural}Metadata",
            response=f"Purge{plural}Response",
            work=("metadata.purge", {**self._work(call, found), "force": bool(call.params.get("force"))}),
        )

    def _work(self, call: Call, found: list[str]) -> Document:
        return {"kind": self.message, "names": found, "scope": [call.scope.account, call.scope.region]}

    def enter(self) -> None:
        """Serve the RPCs of this kind."""
        for verb, plural, handler in (
            ("Create", "", self.create),
            ("Get", "", self.get),
            ("List", "s", self.listing),
            ("Update", "", self.update),
            ("Delete", "", self.delete),
            ("Purge", "s", self.purge),
        ):
            rpc(f"MetadataService.{verb}{self.message}{plural}")(handler)


CONTEXT = Kind("Context", "contexts", _COMMON)
ARTIFACT = Kind("Artifact", "artifacts", (*_COMMON, "uri", "state"))
EXECUTION = Kind("Execution", "executions", (*_COMMON, "state"))
KINDS = {kind.message: kind for kind in (CONTEXT, ARTIFACT, EXECUTION)}
_ORDER = {name: name for name in ("name", "display_name", "create_time", "update_time", "state", "schema_title", "uri")}
for _kind in KINDS.values():
    _kind.enter()


def public(document: Document) -> Document:
    """A copy without private keys."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


def keep(table: Table, document: Document, stamp: str) -> None:
    """Put a node that was made or changed: its time of update and its etag are new. Parents are no part of the etag."""
    document["update_time"] = stamp
    document["etag"] = etags.of({**document, "parent_contexts": []})
    table.put(document["name"], document)


def plain_filter(call: Call) -> str:
    """The filter in the words of `core.filters`: `in_context("X")` as `in_context:"X"`, names with project numbers."""

    def text(quoted: str) -> str:
        return f'"{names.canonical(call.world, quoted[1:-1])}"' if quoted.startswith('"projects/') else quoted

    def plain(found: re.Match[str]) -> str:
        if found["in"]:
            return f"in_context:{text(found['in'])}"
        if found["key"] is not None:
            return f"metadata.{_alias(found['key'])}"
        return text(found["text"])

    return _SPECIAL.sub(plain, str(call.params.get("filter", "")))


def _alias(key: str) -> str:
    """A key of metadata as a word that filters can read, whatever its characters are."""
    return f"0x{key.encode().hex()}"


def _typed(metadata: Document) -> Document:
    """Values below the names of their types, as filters speak of them: `metadata.auc.number_value`."""
    found: Document = {}
    for key, value in metadata.items():
        name = next((name for kind, name in _TYPES if isinstance(value, kind)), "")
        typed = {name: value} if name else {"struct_value": _typed(value)} if isinstance(value, dict) else {}
        found[key] = found[_alias(key)] = typed
    return found


def _metadata(given: Document) -> Document:
    found = {key.strip(): value for key, value in given.items()}
    size = len(json.dumps(found, ensure_ascii=False).encode())
    if size > METADATA:
        raise invalid(f"metadata: {size} bytes, and at most 200 KB are allowed.")
    return found


def install(world: World) -> None:
    """Say what the operations do."""
    lro.register(world, "metadata.delete", lambda world, _name, args: _delete(world, args))
    lro.register(world, "metadata.purge", _purge)


def _purge(world: World, _name: str, args: Document) -> Document:
    if args["force"]:
        _delete(world, args)
        return {"purge_count": len(args["names"])}
    return {"purge_count": len(args["names"]), "purge_sample": args["names"][:SAMPLE]}


def _delete(world: World, args: Document) -> None:
    """Delete nodes, and every mention of them in others."""
    scope, gone, kind = Scope(*args["scope"]), set(args["names"]), args["kind"]
    with world.lock:
        for name in gone:
            KINDS[kind].table(world, scope).delete(name)
        mentions = {"Context": ("parent_contexts", "_contexts"), "Artifact": ("_events",), "Execution": ()}[kind]
        for other in KINDS.values():
            table = other.table(world, scope)
            for name, row in table.items():
                changes = {key: _others(row[key], gone) for key in mentions if key in row}
                if any(len(found) < len(row[key]) for key, found in changes.items()):
                    table.put(name, {**row, **changes})


def _others(mentioned: list[Any], gone: set[str]) -> list[Any]:
    return [one for one in mentioned if (one["artifact"] if isinstance(one, dict) else one) not in gone]
