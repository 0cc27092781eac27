"""Processing job of one ForEach item: the churn rate of a region."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

BASE = Path("/opt/ml/processing")


def main() -> None:
    """Fails for a region that has no customers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--region", required=True)
    given = parser.parse_args()
    with next((BASE / "input" / "raw").rglob("*.csv")).open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["region"] == given.region]
    if not rows:
        raise SystemExit(f"no customers in region {given.region}")
    out = BASE / "output" / "report"
    out.mkdir(parents=True, exist_ok=True)
    rate = sum(row["churned"] == "1" for row in rows) / len(rows)
    (out / f"{given.region}.json").write_text(json.dumps({"region": given.region, "rate": rate}))


if __name__ == "__main__":
    main()
