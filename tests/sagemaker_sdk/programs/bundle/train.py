"""Training script for SDK v3's `ModelTrainer(source_code=...)`: reads the SM_* variables its drivers set."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from churn import best_threshold, read_rows


def main() -> None:
    """Fit a threshold on the `train` channel, print metrics and save `model.json`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threshold", type=float, default=None)
    given, _ = parser.parse_known_args()
    rows = read_rows(Path(os.environ["SM_CHANNEL_TRAIN"]))
    threshold, accuracy = best_threshold(rows, given.steps, given.threshold)
    model = Path(os.environ["SM_MODEL_DIR"])
    (model / "model.json").write_text(json.dumps({"threshold": threshold}))
    print(f"train:accuracy={accuracy:.4f};", flush=True)


if __name__ == "__main__":
    main()
