"""Monitoring: has a feature's mean moved by more than a standard deviation of the baseline?"""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

ENV = dict(os.environ)
BASE = Path(ENV.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
LEAST = 5


def captured() -> list[list[float]]:
    """The features of every captured request."""
    assert json.loads(ENV["dataset_format"])["sagemakerCaptureJson"]
    found = []
    for path in sorted(Path(ENV["dataset_source"]).rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            data = json.loads(line)["captureData"]["endpointInput"]["data"]
            found += [[float(value) for value in row.split(",")] for row in data.splitlines()]
    return found


def main() -> None:
    table = captured()
    baseline = json.loads(Path(ENV["baseline_statistics"]).read_text())["features"]
    violations = []
    for number, feature in enumerate(baseline):
        usual = feature["numerical_statistics"]
        mean = statistics.fmean(row[number] for row in table)
        if len(table) >= LEAST and abs(mean - usual["mean"]) > usual["std_dev"]:
            violations.append(
                {
                    "feature_name": feature["name"],
                    "constraint_check_type": "baseline_drift_check",
                    "description": f"The mean is {mean:.3f}, it was {usual['mean']:.3f}.",
                }
            )
    out = Path(ENV["output_path"])
    (out / "statistics.json").write_text(json.dumps({"version": 0.0, "dataset": {"item_count": len(table)}}))
    if violations:
        (out / "constraint_violations.json").write_text(json.dumps({"violations": violations}))
        (BASE / "output").mkdir(exist_ok=True)
        word = f"CompletedWithViolations: Job completed successfully with {len(violations)} violations."
        (BASE / "output" / "message").write_text(word)


main()
