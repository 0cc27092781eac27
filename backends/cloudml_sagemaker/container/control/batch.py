"""Batch prediction as an ordinary function of cloudml's, in a process of its own."""

from __future__ import annotations

import json
from typing import Any

from cloudml_sagemaker.container import sources
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import archive, models
from cloudml_sagemaker.container.control.aws import download
from cloudml_sagemaker.container.jobs import run_job
from cloudml_sagemaker.container.outputs import Outcome

_PLACE = {"type": "pathlib.Path", "mode": "handle"}


def predict(step: Document, context: Context) -> Outcome:
    """Answer every row of the data, in its order. Raises Refused: a registered model is not there."""
    action = step["action"]
    model, predictor = action["model"], action.get("predictor")
    if "model" in model:
        model, registered = _registered(context.values.json(model), context)
        predictor = predictor or registered
    arguments = {"predictor": predictor, "batch_size": action["batch_size"], "keep": action.get("keep", [])}
    job = {
        **step,
        "function": "cloudml.runtime.batch:batch_predict",
        "inputs": [
            {"name": "model", **_PLACE, "from": model},
            {"name": "data", **_PLACE, "from": action["data"]},
        ],
        "arguments": {name: {"literal": value} for name, value in arguments.items()},
    }
    return run_job(job, context)


def _registered(wanted: dict[str, Any], context: Context) -> tuple[dict[str, Any], str | None]:
    """A registered model's artifact as a value, and the function that it is served by."""
    package = models.find(wanted)
    packed = context.folder("registered") / sources.ARCHIVE
    download(package.data, packed)
    folder = context.folder("registered", "unpacked")
    sources.unpack(packed, folder)
    served = json.loads((folder / archive.SERVED).read_bytes())
    return {"literal": str(folder / "model" / served["filename"])}, served["predictor"]
