"""The model of these tests: a customer churns when the charge is above a threshold."""

from __future__ import annotations

from pathlib import Path


def read_rows(folder: Path) -> list[tuple[float, bool]]:
    """(charge, churned) of every CSV below `folder`."""
    lines = [line for path in sorted(folder.rglob("*.csv")) for line in path.read_text().splitlines() if line]
    return [(float(line.split(",")[0]), line.split(",")[1] == "1") for line in lines]


def accuracy_of(rows: list[tuple[float, bool]], threshold: float) -> float:
    """Share of rows that the rule gets right."""
    return sum((charge > threshold) == churned for charge, churned in rows) / len(rows)


def best_threshold(rows: list[tuple[float, bool]], steps: int, fixed: float | None) -> tuple[float, float]:
    """The threshold of `steps` tried ones (or the fixed one) with the best accuracy, and that accuracy."""
    tried = [fixed] if fixed is not None else [100 * step / steps for step in range(1, steps)]
    best = max(tried, key=lambda threshold: accuracy_of(rows, threshold))
    return best, accuracy_of(rows, best)
