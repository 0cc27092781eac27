"""A baseline in the published form of Model Monitor's statistics.json and constraints.json.

Developer guide, "Schema for Statistics" and "Schema for Constraints". Only what the author limited is checked; what
Model Monitor always does, comparing data types, stays at AWS's own values.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cloudml.runtime.drift import Profile, category, is_null

Document = dict[str, Any]

BUCKETS = 10
SKETCH = {"c": 0.64, "k": 2048.0}
"""Parameters of the KLL sketch, as AWS's own baselines have them."""
NEVER = 1.0
"""A limit that no distance exceeds."""


def feature(name: str, values: Sequence[Any], profile: Profile) -> Document:
    """A column as statistics.json has it."""
    kept = [value for value in values if not is_null(value)]
    common = {"num_present": profile["count"], "num_missing": profile["nulls"]}
    if profile["kind"] == "number":
        whole = all(isinstance(value, int) for value in kept)
        numbers = sorted(float(value) for value in kept)
        found: Document = {"name": name, "inferred_type": "Integral" if whole else "Fractional"}
        found["numerical_statistics"] = {
            "common": common,
            "mean": profile["mean"], "sum": profile["mean"] * len(numbers), "std_dev": profile["deviation"],
            "min": profile["minimum"], "max": profile["maximum"],
            "distribution": {"kll": {"buckets": _buckets(numbers), "sketch": _sketch(numbers)}},
        }  # fmt: skip
        return found
    counts = Counter(category(value) for value in kept)
    rows = [{"value": one, "count": count} for one, count in sorted(counts.items())]
    texts = {
        "common": common,
        "distinct_count": len(counts),
        "distribution": {"categorical": {"buckets": rows}},
    }
    return {"name": name, "inferred_type": "String", "string_statistics": texts}


def _buckets(ordered: Sequence[float]) -> list[Document]:
    """Ten of equal width over the range; the last one is closed."""
    low, high = ordered[0], ordered[-1]
    edges = [low + (high - low) * k / BUCKETS for k in range(BUCKETS)] + [high]
    upto = [0, *(bisect_right(ordered, edge) for edge in edges[1:-1]), len(ordered)]
    return [
        {"lower_bound": edges[k], "upper_bound": edges[k + 1], "count": upto[k + 1] - upto[k]} for k in range(BUCKETS)
    ]


def _sketch(ordered: Sequence[float]) -> Document:
    """The values themselves, or as many of them, evenly, as the sketch holds at its lowest level."""
    most, count = int(SKETCH["k"]), len(ordered)
    kept = ordered if count <= most else [ordered[(2 * k + 1) * count // (2 * most)] for k in range(most)]
    return {"parameters": SKETCH, "data": [list(kept)]}


def statistics(features: Sequence[Document]) -> Document:
    """statistics.json."""
    return {"version": 0.0, "dataset": {"item_count": _rows(features)}, "features": list(features)}


def _rows(features: Sequence[Document]) -> int:
    for one in features:
        told: Document = one.get("numerical_statistics") or one["string_statistics"]
        return int(sum(told["common"].values()))
    return 0


def constraints(features: Sequence[Document], limits: Document) -> Document:
    """constraints.json; `limits` by Model Monitor's words, a share of nulls under `completeness`."""
    complete = max(0.0, 1.0 - limits["completeness"]) if "completeness" in limits else 0.0
    compared = {"comparison_threshold", "categorical_comparison_threshold"} & set(limits)
    return {
        "version": 0.0,
        "features": [
            {"name": one["name"], "inferred_type": one["inferred_type"], "completeness": complete} for one in features
        ],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled" if compared else "Disabled",
                "comparison_threshold": limits.get("comparison_threshold", NEVER),
                "comparison_method": "Simple",
                "categorical_comparison_threshold": limits.get("categorical_comparison_threshold", NEVER),
                "categorical_drift_method": "LInfinity",
            },
        },
    }
