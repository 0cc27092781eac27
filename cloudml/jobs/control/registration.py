"""What a registration records of a model, on any cloud: its evidence, its identity, what it was made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control.decisions import APPROVED
from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored
from cloudml.runtime.verification import sample_of

SAMPLE_ROWS = 20

Facts = dict[str, Any]


def record_name(facts: Facts) -> str:
    """The name of a record's object: by its content, so that it is written once."""
    return f"registration-{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]}.json"


def origin(digest: str, metrics: Mapping[str, float], predictor: str | None, predictor_code: str) -> str:
    """The identity of a registration, sha256: of the model, its evidence and the code that serves it."""
    identity = {"digest": digest, "metrics": metrics, "predictor": predictor, "predictor_code": predictor_code}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def evidence(action: Document, context: Context) -> dict[str, float]:
    """The metrics by name: all numbers of an output, or a single number. Raises Refused: something else."""
    found: dict[str, float] = {}
    for one in action.get("metrics", ()):
        value = context.values.json(one["value"])
        if isinstance(value, dict):
            found.update({name: float(number) for name, number in value.items() if isinstance(number, (int, float))})
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[one["name"]] = float(value)
        else:
            raise Refused(f"{value!r} is not a metric")
    return found


def sample(action: Document, context: Context) -> list[dict[str, Any]]:
    """Rows that the model is known to answer, where the step names a table of them."""
    if action.get("sample") is None:
        return []
    from cloudml.runtime.codecs import read_value

    found = context.sources.one(action["sample"])
    return sample_of(read_value(str(found.path), "polars.DataFrame", found.format), SAMPLE_ROWS)


def served(action: Document, model: Stored, rows: list[dict[str, Any]]) -> Document:
    """What a serving container reads of the model."""
    return {
        "filename": model.filename, "predictor": action.get("predictor"), "name": action["model_name"], "sample": rows,
    }  # fmt: skip


def facts(action: Document, context: Context, model: Stored, metrics: Mapping[str, float], archive: str) -> Facts:
    """The record of a registration but for its sample. `archive`: the digest of what serves the model."""
    return {
        **model.document(), "metrics": metrics, "run": context.run, "archive": archive,
        "origin": origin(model.digest, metrics, action.get("predictor"), action.get("code", "")),
        **lineage(action, model), "predictor": action.get("predictor"), "predictor_code": action.get("code", ""),
        "summary": action.get("summary", ""), "tags": action.get("tags", {}),
        "approval": action.get("approval", APPROVED),
    }  # fmt: skip


def lineage(action: Document, model: Stored) -> Document:
    """What the model was made of: the step, its code, the data and the arguments it was given."""
    source = action.get("source") or {}
    maker = source.get("step") or action["model"].get("member") or action["model"].get("input", "")
    return {"step": str(maker), "code": source.get("code", ""), "data": {}, "parameters": {}, **model.lineage}


def home(action: Document, context: Context) -> str:
    """The folder of all that is kept of a model."""
    prefix = str(action.get("prefix") or context.step["prefix"]).rstrip("/")
    return f"{prefix}/models/{action['model_name']}"
