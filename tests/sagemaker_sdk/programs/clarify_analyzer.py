"""Analysis container of ClarifyCheck steps: pre-training bias (class imbalance) of one facet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

BASE = Path("/opt/ml/processing")


def main() -> None:
    """Read analysis_config.json and the dataset, write analysis.json in the layout of Clarify's own container."""
    config = json.loads((BASE / "input" / "config" / "analysis_config.json").read_text())
    rows = []
    for path in sorted((BASE / "input" / "data").rglob("*.csv")):
        with path.open(newline="") as lines:
            rows += list(csv.DictReader(lines))
    facet = config["facet"][0]
    chosen = sum(row[facet["name_or_index"]] in facet["value_or_threshold"] for row in rows)
    imbalance = (len(rows) - 2 * chosen) / len(rows)
    metric = {"name": "CI", "description": "Class Imbalance (CI)", "value": imbalance}
    facets = {facet["name_or_index"]: [{"value_or_threshold": "east", "metrics": [metric]}]}
    out = BASE / "output"
    out.mkdir(parents=True, exist_ok=True)
    analysis = {"version": "1.0", "pre_training_bias_metrics": {"label": config["label"], "facets": facets}}
    (out / "analysis.json").write_text(json.dumps(analysis))


if __name__ == "__main__":
    main()
