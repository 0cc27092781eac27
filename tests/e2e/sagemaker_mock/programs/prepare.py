"""Processing: check the raw tables, make features, split them, and write the baseline of what the model was shown."""

from __future__ import annotations

import csv
import json
import os
import statistics
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "processing"
FEATURES = ("tenure", "calls", "charges", "monthly")


def rows() -> list[list[float]]:
    """Label and features of every customer of every file, in the order of the files' names."""
    found = []
    for path in sorted((BASE / "input" / "raw").glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["churned"] not in {"0", "1"} or not 0 <= float(row["tenure"]) <= 600:
                    raise SystemExit(f"{path.name}: {row} is no customer")
                monthly = float(row["contract"] == "monthly")
                found.append(
                    [float(row["churned"]), float(row["tenure"]), float(row["calls"]), float(row["charges"]), monthly]
                )
    return found


def write(name: str, table: list[list[float]]) -> None:
    folder = BASE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)


def baseline(table: list[list[float]]) -> None:
    """statistics.json and constraints.json, in the form of the developer guide's schemas."""
    columns = {name: [row[number] for row in table] for number, name in enumerate(FEATURES, 1)}
    told = [
        {
            "name": name,
            "inferred_type": "Fractional",
            "numerical_statistics": {
                "common": {"num_present": len(values), "num_missing": 0},
                "mean": statistics.fmean(values),
                "sum": sum(values),
                "std_dev": statistics.pstdev(values),
                "min": min(values),
                "max": max(values),
            },
        }
        for name, values in columns.items()
    ]
    folder = BASE / "baseline"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"version": 0.0, "dataset": {"item_count": len(table)}, "features": told}
    (folder / "statistics.json").write_text(json.dumps(document))
    rules = [{"name": name, "inferred_type": "Fractional", "completeness": 1.0} for name in FEATURES]
    (folder / "constraints.json").write_text(json.dumps({"version": 0.0, "features": rules}))


def main() -> None:
    table = rows()
    held_out = table[::4]
    train = [row for number, row in enumerate(table) if number % 4]
    print(f"{len(train)} customers to learn from, {len(held_out)} to judge by")
    write("train", train)
    write("test", held_out)
    baseline(train)


main()
