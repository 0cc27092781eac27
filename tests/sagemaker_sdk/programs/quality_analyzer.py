"""Analysis container of QualityCheck steps: computes a baseline, and violations when given an earlier one.

Inputs by environment (dataset_source, output_path, baseline_constraints, baseline_statistics, problem_type) and files,
as AWS's "bring your own container" pages of Model Monitor describe them.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any


def described(values: list[str]) -> dict[str, Any]:
    """One feature's numerical statistics."""
    numbers = [float(value) for value in values if value]
    common = {"num_present": len(numbers), "num_missing": len(values) - len(numbers)}
    mean = sum(numbers) / len(numbers) if numbers else 0.0
    return {"common": common, "mean": mean, "min": min(numbers, default=0.0), "max": max(numbers, default=0.0)}


def violations_of(features: list[dict[str, Any]], constraints: dict[str, Any]) -> list[dict[str, str]]:
    """Completeness below the baseline's, and columns that are gone."""
    now = {feature["name"]: feature for feature in features}
    found = []
    for before in constraints["features"]:
        kind = None
        if before["name"] not in now:
            kind = "missing_column_check"
        elif now[before["name"]]["completeness"] < before["completeness"]:
            kind = "completeness_check"
        if kind:
            found.append({"feature_name": before["name"], "constraint_check_type": kind, "description": kind})
    return found


def given_baseline() -> Path | None:
    """The baseline's constraints file, when the step compares with one."""
    given = os.environ  # the container contract names its variables in lower case
    named = given.get("baseline_constraints")
    if not named:
        return None
    path = Path(named)
    return next(path.rglob("*.json")) if path.is_dir() else path


def main() -> None:
    """Write statistics.json and constraints.json, and constraint_violations.json where there is a baseline."""
    given = os.environ
    source, out = Path(given["dataset_source"]), Path(given["output_path"])
    json.loads(given["dataset_format"])
    rows = []
    for path in sorted(source.rglob("*.csv")):
        with path.open(newline="") as lines:
            rows += list(csv.DictReader(lines))
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "region"}
    out.mkdir(parents=True, exist_ok=True)
    statistics = {
        "version": 0.0,
        "dataset": {"item_count": len(rows)},
        "features": [
            {"name": name, "inferred_type": "Fractional", "numerical_statistics": described(values)}
            for name, values in columns.items()
        ],
    }
    features = [
        {"name": name, "inferred_type": "Fractional", "completeness": sum(map(bool, values)) / len(values)}
        for name, values in columns.items()
    ]
    (out / "statistics.json").write_text(json.dumps(statistics))
    (out / "constraints.json").write_text(json.dumps({"version": 0.0, "features": features}))
    baseline = given_baseline()
    if baseline:
        found = violations_of(features, json.loads(baseline.read_text()))
        (out / "constraint_violations.json").write_text(json.dumps({"violations": found}))


if __name__ == "__main__":
    main()
