"""Stands for Model Monitor's analyzer: reads what it is given as the developer guide says, and finds one violation."""

from __future__ import annotations

import json
import os
from pathlib import Path

names = ("baseline_constraints", "baseline_statistics", "output_path")  # as AWS writes these variables
constraints, statistics, out = (Path(os.environ[name]) for name in names)
limits, known = json.loads(constraints.read_text()), json.loads(statistics.read_text())
threshold = limits["monitoring_config"]["distribution_constraints"]["comparison_threshold"]
found = [
    {"feature_name": one["name"], "constraint_check_type": "baseline_drift_check", "description": f"above {threshold}"}
    for one in known["features"]
]
(out / "constraint_violations.json").write_text(json.dumps({"violations": found}))
