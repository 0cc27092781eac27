"""From an object to the bodies of requests, and from answers to the object that is written."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.transform.filters import FilterFailed, Form, Json, form, select

MEGABYTE = 1024 * 1024
DEFAULTS: Document = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
"""Of a job and a container that do not say (API reference, CreateTransformJob)."""
STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
"""BatchStrategy as requests write it, and as containers do."""


class InputRefused(Exception):
    """An input object cannot be sent; the text says why."""


def asked(job: Document) -> Document:
    """What the request itself says of the three settings that a container may choose, as containers write them.

    MaxConcurrentTransforms 0 counts as not said (API reference).
    """
    given = {key: job.get(key) for key in DEFAULTS}
    given["BatchStrategy"] = STRATEGIES.get(job.get("BatchStrategy", ""))
    given["MaxConcurrentTransforms"] = job.get("MaxConcurrentTransforms") or None
    return {key: value for key, value in given.items() if value is not None}


def settings(job: Document, told: Document) -> Document:
    """The three settings: of the request, else of the container (`told`), else AWS's (developer guide, "Use Your Own
    Inference Code with Batch Transform")."""
    return {**DEFAULTS, **{key: value for key, value in told.items() if _sound(key, value)}, **asked(job)}


def _sound(key: str, value: object) -> bool:
    if key == "BatchStrategy":
        return value in STRATEGIES.values()
    least = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 0}.get(key)
    return least is not None and isinstance(value, int) and value >= least


@dataclass(frozen=True)
class Plan:
    """What a job's request says about records, with the settings found for it."""

    split: bool
    single: bool
    payload: int
    assemble: bool
    gzipped: bool
    input_filter: str
    output_filter: str
    join: bool
    content_type: str
    accept: str
    inclusive: bool = False

    @property
    def rewritten(self) -> bool:
        """Whether answers are read and written anew."""
        return self.join or self.output_filter != "$"


def plan(job: Document, told: Document | None = None, *, inclusive: bool = False) -> Plan:
    """The plan of a job whose container told these settings; `inclusive`: how slices of filters are read."""
    given, output = job["TransformInput"], job["TransformOutput"]
    processing = job.get("DataProcessing") or {}
    found = settings(job, told or {})
    return Plan(
        split=given.get("SplitType", "None") == "Line",
        single=found["BatchStrategy"] == "SINGLE_RECORD",
        payload=found["MaxPayloadInMB"] * MEGABYTE,
        assemble=output.get("AssembleWith", "None") == "Line",
        gzipped=given.get("CompressionType", "None") == "Gzip",
        input_filter=processing.get("InputFilter") or "$",
        output_filter=processing.get("OutputFilter") or "$",
        join=processing.get("JoinSource", "None") == "Input",
        content_type=given.get("ContentType") or "",
        accept=output.get("Accept") or "",
        inclusive=inclusive,
    )


@dataclass(frozen=True)
class Batch:
    """One request: the records as they were, and the body that is sent."""

    records: tuple[bytes, ...]
    body: bytes


def batches(plan_: Plan, data: bytes) -> Iterator[Batch]:
    """The requests for one object. Raises InputRefused, FilterFailed."""
    if plan_.gzipped:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise InputRefused(f"the input is not gzip: {error}") from error
    if not plan_.split:
        if plan_.payload and len(data) > plan_.payload:
            raise InputRefused(f"the input has {len(data)} bytes, more than MaxPayloadInMB; set SplitType to Line")
        yield _batch(plan_, (data,))
        return
    waiting: list[bytes] = []
    size = 0
    for line in lines(data):
        length = len(line) + 1
        if plan_.payload and length > plan_.payload:
            raise InputRefused(f"a record has {length} bytes, more than MaxPayloadInMB")
        if waiting and (plan_.single or (plan_.payload and size + length > plan_.payload)):
            yield _batch(plan_, tuple(waiting))
            waiting, size = [], 0
        waiting.append(line)
        size += length
    if waiting:
        yield _batch(plan_, tuple(waiting))


def lines(data: bytes) -> list[bytes]:
    """The records of SplitType Line: they end at newlines and nowhere else, whatever else Unicode breaks lines at."""
    found = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return found[:-1] if not found[-1] else found


def _batch(plan_: Plan, records: tuple[bytes, ...]) -> Batch:
    if plan_.input_filter == "$":
        return Batch(records, b"\n".join(records))
    kind = _form(plan_.content_type)
    values = (kind.read(record.decode("utf-8")) for record in records)
    sent = [kind.write(select(plan_.input_filter, value, inclusive=plan_.inclusive)) for value in values]
    return Batch(records, "\n".join(sent).encode())


def assembled(plan_: Plan, batch: Batch, answer: bytes, media: str) -> bytes:
    """What one answer adds to the output object. Raises FilterFailed."""
    if plan_.rewritten:
        return _joined(plan_, batch, answer, media)
    if plan_.assemble and not answer.endswith(b"\n"):
        return answer + b"\n"
    return answer


def _joined(plan_: Plan, batch: Batch, answer: bytes, media: str) -> bytes:
    kind = _form(plan_.accept or media)
    values = _answers(plan_, batch, answer, media)
    if plan_.join and len(values) != len(batch.records):
        raise FilterFailed(f"{len(values)} records came back for {len(batch.records)}, so they cannot be joined")
    written = []
    for place, value in enumerate(values):
        record = batch.records[place].decode("utf-8") if plan_.join else ""
        whole = kind.join(_form(plan_.content_type).read(record), value) if plan_.join else value
        written.append(kind.write(select(plan_.output_filter, whole, inclusive=plan_.inclusive)))
    end = "\n" if plan_.assemble else ""
    return ("\n".join(written) + end).encode()


def _answers(plan_: Plan, batch: Batch, answer: bytes, media: str) -> list[Any]:
    """The values of an answer: one a line, but a JSON answer to a whole object, or a JSON list for its records."""
    accept = plan_.accept or media
    kind = _form(accept)
    if kind is Json and not plan_.split and "jsonlines" not in accept.lower():
        return [kind.read(answer.decode("utf-8"))]
    values = [kind.read(line.decode("utf-8")) for line in lines(answer) if line]
    if kind is Json and len(values) == 1 and len(batch.records) > 1 and isinstance(values[0], list):
        return list(values[0])
    return values


def _form(content_type: str) -> Form:
    kind = form(content_type)
    if kind is None:
        raise FilterFailed(f"records of type {content_type or 'unknown'!r} cannot be filtered or joined")
    return kind
