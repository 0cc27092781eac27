"""A training program by Vertex's contract for tuning: parameters are flags, the metric goes to the file that
CLOUD_ML_HP_METRIC_FILE names, one JSON line a measurement, as the cloudml-hypertune package writes it."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--depth", type=int, required=True)
given = parser.parse_args()
score = 1.0 - (given.rate - 0.5) ** 2 - given.depth / 100.0
path = Path(os.environ.get("CLOUD_ML_HP_METRIC_FILE", "/tmp/hypertune/output.metrics"))
path.parent.mkdir(parents=True, exist_ok=True)
told = {"timestamp": time.time(), "trial": os.environ.get("CLOUD_ML_TRIAL_ID", "0"), "score": str(score)}
with path.open("a") as file:
    file.write(json.dumps({**told, "global_step": "1", "checkpoint_path": ""}) + "\n")
model = Path(os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/", 1))
model.mkdir(parents=True, exist_ok=True)
(model / "score").write_text(str(score))
