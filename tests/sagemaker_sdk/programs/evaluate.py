"""Processing job: score the model of a `model.tar.gz` on the test data and write `evaluation.json`."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

BASE = Path("/opt/ml/processing")


def main() -> None:
    """Accuracy of the rule `charge > threshold` over the rows of `input/test`."""
    archive = next((BASE / "input" / "model").rglob("model.tar.gz"))
    with tarfile.open(archive) as tar:
        member = tar.extractfile("model.json")
        assert member is not None
        threshold = float(json.load(member)["threshold"])
    right = total = 0
    for path in (BASE / "input" / "test").rglob("*.csv"):
        for line in path.read_text().splitlines():
            charge, churned = line.split(",")
            right += (float(charge) > threshold) == (churned == "1")
            total += 1
    out = BASE / "output" / "evaluation"
    out.mkdir(parents=True, exist_ok=True)
    metrics = {"accuracy": {"value": right / total, "standard_deviation": "NaN"}}
    document = {"binary_classification_metrics": metrics, "rows": total}
    (out / "evaluation.json").write_text(json.dumps(document))
    print(f"accuracy={right / total}")


if __name__ == "__main__":
    main()
