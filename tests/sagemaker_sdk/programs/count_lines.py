"""Processing job: count the predictions that a batch transform wrote."""

from __future__ import annotations

import json
from pathlib import Path

BASE = Path("/opt/ml/processing")


def main() -> None:
    """Every `.out` file of the `scored` input is read; an empty input is an error."""
    files = sorted((BASE / "input" / "scored").rglob("*.out"))
    lines = [line for path in files for line in path.read_text().splitlines() if line]
    if not lines:
        raise SystemExit("no predictions")
    out = BASE / "output" / "counts"
    out.mkdir(parents=True, exist_ok=True)
    positive = sum(line.rsplit(",", 1)[-1].strip() == "1" for line in lines)
    (out / "counts.json").write_text(json.dumps({"lines": len(lines), "positive": positive}))


if __name__ == "__main__":
    main()
