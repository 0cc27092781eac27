"""Processing: the area under the ROC curve of the best model, over customers that it was not shown."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "processing"


def score(model: dict[str, list[float]], features: list[float]) -> float:
    """The log-odds of churn: of the same order as the probability."""
    scaled = zip(features, model["mean"], model["scale"], model["weights"], strict=True)
    return sum((value - mean) / scale * weight for value, mean, scale, weight in scaled)


def main() -> None:
    with tarfile.open(BASE / "input" / "model" / "model.tar.gz") as archive:
        member = archive.extractfile("model.json")
        assert member is not None
        with member:
            model = json.load(member)
    with (BASE / "input" / "test" / "test.csv").open(newline="") as file:
        table = [[float(value) for value in row] for row in csv.reader(file)]
    scores = [(score(model, row[1:]), row[0]) for row in table]
    left = [value for value, label in scores if label]
    stayed = [value for value, label in scores if not label]
    # Mann and Whitney: how often one who left stands above one who stayed.
    wins = sum((one > other) + (one == other) / 2 for one in left for other in stayed)
    folder = BASE / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    found = {"binary_classification_metrics": {"auc": {"value": wins / (len(left) * len(stayed))}}}
    (folder / "evaluation.json").write_text(json.dumps(found))
    print(json.dumps(found))


main()
