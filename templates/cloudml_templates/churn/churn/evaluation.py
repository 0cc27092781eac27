"""Judge the chosen model on rows that nothing was fitted, tuned or chosen on."""

from __future__ import annotations

from typing import NamedTuple

import cloudml as ml
import polars as pl

from churn.serving import predict

SMALLEST_GROUP = 50
"""Groups with fewer rows are shown, but too small to judge."""


class Scores(ml.Metrics):
    """`worst_group_gap` is how far the AUC of the worst-served segment lies below the AUC of all."""

    auc: float
    f1: float
    worst_group_gap: float


class Evaluation(NamedTuple):
    """Numbers for the gate, and a table for people."""

    scores: Scores
    by_group: pl.DataFrame


@ml.evaluation
def evaluate(model: ml.In[ml.Model], test: pl.DataFrame, threshold: float, group: str = "segment") -> Evaluation:
    """AUC, F1 and the same AUC within each value of the column `group`."""
    from sklearn.metrics import f1_score, roc_auc_score

    judged = test.select(pl.col(group).alias("group"), "churned", score=predict(model.load(), test))
    auc = float(roc_auc_score(judged["churned"].to_numpy(), judged["score"].to_numpy()))
    f1 = f1_score(judged["churned"].to_numpy(), (judged["score"] >= threshold).to_numpy())
    groups = by_group(judged)
    worst = groups.filter(pl.col("rows") >= SMALLEST_GROUP)["auc"].min()
    gap = auc - worst if isinstance(worst, float) else 0.0
    return Evaluation(Scores(auc=auc, f1=float(f1), worst_group_gap=max(gap, 0.0)), groups)


def by_group(judged: pl.DataFrame) -> pl.DataFrame:
    """Rows, share of churn and AUC of each group; the AUC is missing where all or none left."""
    from sklearn.metrics import roc_auc_score

    lines = []
    for (name,), rows in judged.sort("group").group_by("group", maintain_order=True):
        both = rows["churned"].n_unique() == 2
        auc = float(roc_auc_score(rows["churned"].to_numpy(), rows["score"].to_numpy())) if both else None
        lines.append({"group": name, "rows": rows.height, "churn_rate": rows["churned"].mean(), "auc": auc})
    schema = {"group": pl.String, "rows": pl.Int64, "churn_rate": pl.Float64, "auc": pl.Float64}
    return pl.DataFrame(lines, schema=schema)
