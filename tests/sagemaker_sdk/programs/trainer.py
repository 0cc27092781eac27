"""An image's own program, run as `trainer.py train`: the training contract without any toolkit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ML = Path("/opt/ml")


def rows_of(channel: str) -> list[tuple[float, bool]]:
    """(charge, churned) of every CSV of a channel."""
    folder = ML / "input" / "data" / channel
    lines = [line for path in sorted(folder.rglob("*.csv")) for line in path.read_text().splitlines() if line]
    return [(float(line.split(",")[0]), line.split(",")[1] == "1") for line in lines]


def train() -> None:
    """One epoch per threshold step; every epoch leaves a checkpoint when the folder is there."""
    hyperparameters = json.loads((ML / "input" / "config" / "hyperparameters.json").read_text())
    if any(not isinstance(value, str) for value in hyperparameters.values()):
        raise SystemExit("hyperparameters.json must hold strings only")
    if hyperparameters.get("fail", "no") != "no":
        (ML / "output" / "failure").write_text(hyperparameters["fail"])
        sys.exit(int(hyperparameters.get("exit-code", "1")))
    threshold = float(hyperparameters.get("threshold", "50"))
    rows = rows_of("train")
    accuracy = sum((charge > threshold) == churned for charge, churned in rows) / len(rows)
    checkpoints = ML / "checkpoints"
    for epoch in range(int(hyperparameters.get("epochs", "2"))):
        print(f"epoch={epoch} train:accuracy={accuracy:.4f};", flush=True)
        if checkpoints.is_dir():
            (checkpoints / f"epoch-{epoch}.json").write_text(json.dumps({"threshold": threshold}))
    (ML / "model" / "model.json").write_text(json.dumps({"threshold": threshold}))
    data = ML / "output" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "history.txt").write_text(f"{accuracy}\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["train"]:
        raise SystemExit(f"expected the one argument `train`, got {sys.argv[1:]}")
    if "TRAINING_JOB_NAME" not in os.environ:
        raise SystemExit("TRAINING_JOB_NAME is not set")
    train()
