"""Batch prediction as an ordinary function of cloudml's, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.job import run_job
from cloudml.jobs.outputs import Outcome

_PLACE = {"type": "pathlib.Path", "mode": "handle"}


@dataclass(frozen=True)
class Registered:
    """A registered model on this machine's disk, and the function that it is served by."""

    model: Path
    predictor: str | None


def predict(action: Document, context: Context, bring: Callable[[dict[str, Any], Path], Registered]) -> Outcome:
    """Answer every row of the data, in its order.

    `bring` puts the registered model that a value names into a folder, and raises Refused when there is none.
    """
    model, predictor = action["model"], action.get("predictor")
    if "model" in model:
        found = bring(context.values.json(model), context.folder("registered"))
        model, predictor = {"literal": str(found.model)}, predictor or found.predictor
    arguments = {"predictor": predictor, "batch_size": action["batch_size"], "keep": action.get("keep", [])}
    step = {
        **context.step,
        "function": "cloudml.runtime.batch:batch_predict",
        "inputs": [
            {"name": "model", **_PLACE, "from": model},
            {"name": "data", **_PLACE, "from": action["data"]},
        ],
        "arguments": {name: {"literal": value} for name, value in arguments.items()},
    }
    return run_job(step, context)
