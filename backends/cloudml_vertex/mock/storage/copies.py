"""Objects made of objects: rewrite, copy, compose."""

from __future__ import annotations

import base64
import json
import shutil
from typing import Any

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import hashes
from cloudml_vertex.mock.storage.conditions import of_query
from cloudml_vertex.mock.storage.errors import invalid, required
from cloudml_vertex.mock.storage.hashes import Sums
from cloudml_vertex.mock.storage.http import Answer, Request, json_answer
from cloudml_vertex.mock.storage.records import FIELDS, Record, Records
from cloudml_vertex.mock.storage.resources import need_name, resource, settable

Document = dict[str, Any]
SOURCES = 32
"""Objects that one compose takes (objects.compose)."""
_MEGABYTE = 1 << 20


def rewrite(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.rewrite; with `maxBytesRewrittenPerCall` in several calls, held together by a token."""
    records = Records(world)
    source = _source(records, request, names)
    limit = request.number("maxBytesRewrittenPerCall")
    if limit is not None and (limit <= 0 or limit % _MEGABYTE):
        raise invalid("maxBytesRewrittenPerCall must be an integral multiple of 1 MiB (1048576).")
    done = _progress(request, source, names) + (limit or source.size)
    result: Document = {"kind": "storage#rewriteResponse", "objectSize": str(source.size)}
    if done < source.size:
        token = _token(source, names, done)
        return json_answer({**result, "totalBytesRewritten": str(done), "done": False, "rewriteToken": token})
    made = _copied(records, request, source, names)
    shown = resource(records, request, made)
    return json_answer({**result, "totalBytesRewritten": str(source.size), "done": True, "resource": shown})


def copy(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.copy"""
    records = Records(world)
    made = _copied(records, request, _source(records, request, names), names)
    return json_answer(resource(records, request, made))


def _source(records: Records, request: Request, names: tuple[str, ...]) -> Record:
    found = records.get(names[0], names[1], request.number("sourceGeneration"))
    of_query(request.query, kind="Source").check(found.state)
    records.need_bucket(names[2])
    need_name(names[3])
    return found


def _token(source: Record, names: tuple[str, ...], done: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([*names, source.generation, done]).encode()).decode()


def _progress(request: Request, source: Record, names: tuple[str, ...]) -> int:
    given = request.query.get("rewriteToken", "")
    if not given:
        return 0
    try:
        done = json.loads(base64.urlsafe_b64decode(given))[-1]
    except (ValueError, TypeError, LookupError, RecursionError):
        done = None
    if not isinstance(done, int) or _token(source, names, done) != given:
        raise invalid("Invalid rewrite token.")
    return done


def _copied(records: Records, request: Request, source: Record, names: tuple[str, ...]) -> Record:
    """The new object: the source's metadata, unless the request brings some."""
    given = request.document()
    replaced = any(key in given for key in FIELDS)
    fields = settable(given) if replaced else dict(source.fields)
    if "contentType" in source.fields:
        fields.setdefault("contentType", source.fields["contentType"])
    for hold in ("temporaryHold", "eventBasedHold"):
        if hold not in given:
            fields.pop(hold, None)
    source, file = records.open(source)
    sums = records.sums(source)
    draft = gcs.new_draft(records.world)
    try:
        with file, draft.open("wb") as target:
            shutil.copyfileobj(file, target, _MEGABYTE)
        components = int(source.document.get("componentCount", 0))
        return records.commit(names[2], names[3], draft, sums, fields, of_query(request.query), components)
    finally:
        draft.unlink(missing_ok=True)


def compose(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.compose: up to 32 objects of the bucket, one behind the other."""
    records, given = Records(world), request.document()
    bucket, name = names[0], need_name(names[1])
    records.need_bucket(bucket)
    sources = given.get("sourceObjects")
    if not isinstance(sources, list) or not sources:
        raise required("You must provide at least one source component.")
    if len(sources) > SOURCES:
        raise invalid(f"The number of source components provided ({len(sources)}) exceeds the maximum ({SOURCES})")
    found = [_component(records, bucket, source) for source in sources]
    told = given.get("destination") or {}
    if not isinstance(told, dict):
        raise invalid("destination must be an object resource.")
    summing, draft = hashes.Summing(), gcs.new_draft(world)
    try:
        with draft.open("wb") as target:
            for one in found:
                with records.open(one)[1] as file:
                    for piece in hashes.pieces(file):
                        target.write(piece)
                        summing.update(piece)
        sums = Sums("", summing.done().crc32c)
        hashes.verify(sums, {key: told[key] for key in ("crc32c",) if key in told})
        count = sum(int(one.document.get("componentCount", 1)) for one in found)
        made = records.commit(bucket, name, draft, sums, settable(told), of_query(request.query), count)
    finally:
        draft.unlink(missing_ok=True)
    return json_answer(resource(records, request, made))


def _component(records: Records, bucket: str, source: Any) -> Record:
    if not isinstance(source, dict) or not source.get("name"):
        raise required("Every source component needs a name.")
    generation = source.get("generation")
    if generation is not None and not str(generation).isdigit():
        raise invalid(f"Invalid generation of a source component: {generation!r}.")
    found = records.get(bucket, str(source["name"]), int(generation) if generation else None)
    of_query(source.get("objectPreconditions") or {}).check(found.state)
    return found
