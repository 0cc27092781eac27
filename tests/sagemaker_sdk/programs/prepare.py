"""Processing job: split the customers of one region into train and test, and report the counts."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

BASE = Path("/opt/ml/processing")


def main() -> None:
    """Read every CSV of the `raw` input, write `train`, `test` and `report` outputs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--region", default="all")
    parser.add_argument("--test-share", type=float, default=0.25)
    parser.add_argument("--run", default="")
    given = parser.parse_args()
    rows = []
    for path in sorted((BASE / "input" / "raw").rglob("*.csv")):
        with path.open(newline="") as lines:
            rows += list(csv.DictReader(lines))
    kept = [row for row in rows if given.region in ("all", row["region"])]
    if not kept:
        raise SystemExit(f"no customers in region {given.region}")
    every = round(1 / given.test_share)
    parts = {
        "train": [row for number, row in enumerate(kept, start=1) if number % every],
        "test": kept[every - 1 :: every],
    }
    for name, part in parts.items():
        target = BASE / "output" / name
        target.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{row['charge']},{row['churned']}\n" for row in part)
        (target / "data.csv").write_text(text)
    report = BASE / "output" / "report"
    report.mkdir(parents=True, exist_ok=True)
    sizes = {name: len(part) for name, part in parts.items()}
    counts = {"region": given.region, "run": given.run, "rows": sizes}
    (report / "report.json").write_text(json.dumps(counts))
    print(f"rows={len(kept)}")


if __name__ == "__main__":
    main()
