"""Batch prediction with a registered model: its archive is brought from S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudml.jobs import sources
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import archive
from cloudml.jobs.control.prediction import Registered, predict
from cloudml.jobs.outputs import Outcome
from cloudml_sagemaker.container.control import models
from cloudml_sagemaker.container.control.aws import download


def batch(action: Document, context: Context) -> Outcome:
    """Answer every row of the data, in its order. Raises Refused: a registered model is not there."""
    return predict(action, context, _bring)


def _bring(wanted: dict[str, Any], folder: Path) -> Registered:
    package = models.find(wanted)
    packed = folder / sources.ARCHIVE
    download(package.data, packed)
    place = folder / "unpacked"
    sources.unpack(packed, place)
    served = json.loads((place / archive.SERVED).read_bytes())
    return Registered(place / "model" / served["filename"], served["predictor"])
