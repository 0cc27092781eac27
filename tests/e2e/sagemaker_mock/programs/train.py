"""Training: a logistic regression of scikit-learn; what is served of it are its numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def main() -> None:
    given = json.loads((BASE / "input" / "config" / "hyperparameters.json").read_text())
    table = np.loadtxt(BASE / "input" / "data" / "train" / "train.csv", delimiter=",")
    labels, features = table[:, 0], table[:, 1:]
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scaled = (features - mean) / scale
    cut = len(scaled) * 3 // 4
    model = LogisticRegression(C=float(given["strength"]), max_iter=int(given["max_iter"]))
    model.fit(scaled[:cut], labels[:cut])
    auc = roc_auc_score(labels[cut:], model.predict_proba(scaled[cut:])[:, 1])
    print(f"validation:auc={auc:.6f};", flush=True)
    numbers = {
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "weights": model.coef_[0].tolist(),
        "bias": float(model.intercept_[0]),
        "strength": given["strength"],
    }
    (BASE / "model" / "model.json").write_text(json.dumps(numbers))


main()
