"""Serves a registered model in AWS's framework images, which import this file: `model_fn` and `transform_fn`.

It lies in the archive's folder `code`, beside the project and cloudml's own library.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
for _name in ("library.zip", "project"):
    _place = os.path.join(_HERE, _name)
    if os.path.exists(_place) and _place not in sys.path:
        sys.path.insert(0, _place)


class Served:
    """A loaded model: what predicts, and what rows must have."""

    def __init__(self, folder: str) -> None:
        from cloudml.runtime.predictor import load_predictor
        from cloudml.serving.schema import FeatureSchema

        with open(os.path.join(folder, "cloudml.json"), encoding="utf-8") as file:
            facts = json.load(file)
        self.predict = load_predictor(os.path.join(folder, "model", facts["filename"]), facts["predictor"])
        rows = facts["sample"]
        features = _features()
        own = FeatureSchema.from_sample(rows, features) if rows or features else FeatureSchema()
        self.schema = own if own.names else FeatureSchema(self.predict.features or ())
        if rows:  # a model that cannot answer its own sample must not become healthy
            self.predict(self.schema.conform(rows))


def _features() -> list[str]:
    """The order of the features, in as many variables as the text takes: AWS takes 1,024 characters in one."""
    text, number = os.environ.get("CLOUDML_FEATURES", ""), 2
    while f"CLOUDML_FEATURES_{number}" in os.environ:
        text, number = text + os.environ[f"CLOUDML_FEATURES_{number}"], number + 1
    return list(json.loads(text)) if text else []


def model_fn(model_dir: str) -> Served:
    """Called once, when the container starts."""
    return Served(model_dir)


def transform_fn(model: Served, data: str | bytes, content_type: str, accept: str) -> tuple[bytes, str]:
    """One request: every row of the body answered, in its order.

    Raises:
        RequestProblem: the body cannot be read, or a row does not fit; the message says where.
    """
    from cloudml.serving import protocol

    kind = protocol.content_type(content_type)
    rows = protocol.parse(data.encode("utf-8") if isinstance(data, str) else data, kind, model.schema)
    values: list[Any] = list(model.predict(rows))
    answer = protocol.negotiate(accept, kind.format)
    return protocol.render(values, answer), answer
