"""Fit one model. `ml.tune` calls this many times with other numbers and keeps the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cloudml as ml
import polars as pl

from churn.features import CATEGORIES, FEATURES, NUMBERS

if TYPE_CHECKING:
    import numpy as np
    from sklearn.pipeline import Pipeline


class Fit(ml.Metrics):
    """What a trial is judged by. `threshold` is where a score becomes "will leave"; it is chosen on validation rows."""

    valid_auc: float
    threshold: float


@ml.training(cpu=1, memory="2Gi")
def fit(
    train: pl.DataFrame,
    valid: pl.DataFrame,
    model: ml.Out[ml.Model],
    learning_rate: float = 0.1,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 40,
    l2: float = 1.0,
    iterations: int = 50,
    seed: int = 7,
) -> Fit:
    """Gradient-boosted trees on `train`, saved to `model` and judged on `valid`."""
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    estimator = build_estimator(learning_rate, max_leaf_nodes, min_samples_leaf, l2, iterations, seed)
    # One thread adds up in one order: the same rows give the same model to the bit. Trials run side by side instead.
    with threadpool_limits(limits=1):
        estimator.fit(train.select(FEATURES), train["churned"].to_numpy())
        scores = estimator.predict_proba(valid.select(FEATURES))[:, 1]
    model.save(estimator)
    churned = valid["churned"].to_numpy()
    return Fit(valid_auc=roc_auc_score(churned, scores), threshold=best_threshold(churned, scores))


def build_estimator(
    learning_rate: float, max_leaf_nodes: int, min_samples_leaf: int, l2: float, iterations: int, seed: int
) -> Pipeline:
    """Categories and missing values are dealt with inside the model: whoever loads it can send rows as they are."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    missing = SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True)  # no feature is negative
    columns = make_column_transformer((encoder, CATEGORIES), (missing, NUMBERS))
    trees = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
        l2_regularization=l2,
        max_iter=iterations,
        early_stopping=False,
        random_state=seed,
    )
    return make_pipeline(columns, trees)


def best_threshold(churned: np.ndarray, scores: np.ndarray) -> float:
    """The score from which calling a customer lost gives the best F1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(churned, scores)
    f1 = precision * recall / (precision + recall + 1e-12)
    return float(thresholds[f1[:-1].argmax()])
