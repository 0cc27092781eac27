from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from cloudml.runtime.metrics import MetricField, Metrics


class Scores(Metrics):
    auc: float
    rows: int = 0


class More(Scores):
    gap: float = 0.5


def test_an_instance_has_numbers_and_the_class_has_fields() -> None:
    scores = Scores(auc=0.8)
    assert scores.auc == 0.8
    assert scores.rows == 0
    field: Any = Scores.auc
    assert isinstance(field, MetricField)
    assert (field.owner, field.name) == (Scores, "auc")
    assert scores.to_dict() == {"auc": 0.8, "rows": 0}
    assert repr(scores) == "Scores(auc=0.8, rows=0)"


def test_it_is_frozen_and_compares_by_value() -> None:
    scores = Scores(0.5, 3)
    assert scores == Scores(auc=0.5, rows=3)
    assert hash(scores) == hash(Scores(auc=0.5, rows=3))
    assert scores != Scores(auc=0.5, rows=4)
    for name in ("auc", "new"):
        with pytest.raises(AttributeError, match="frozen"):
            setattr(scores, name, 1.0)
    with pytest.raises(AttributeError, match="frozen"):
        del scores.auc


def test_fields_are_inherited() -> None:
    assert More(auc=0.5).to_dict() == {"auc": 0.5, "rows": 0, "gap": 0.5}
    field: Any = More.auc
    assert field.owner is More


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), Decimal("0.5"), 0.5])
def test_numbers_of_other_libraries_become_floats(number: Any) -> None:
    assert type(Scores(auc=number).auc) is float
    assert Scores(auc=number).auc == 0.5


def test_an_int_serves_as_a_float() -> None:
    assert type(Scores(auc=1).auc) is float
    rows: Any = np.int64(3)
    assert type(Scores(auc=0.5, rows=rows).rows) is int


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"auc": True}, "Scores.auc"),
        ({"auc": np.bool_(True)}, "Scores.auc"),
        ({"auc": "0.5"}, "Scores.auc"),
        ({"auc": None}, "Scores.auc"),
        ({"auc": [0.5]}, "Scores.auc"),
        ({"auc": 0.5, "rows": 1.5}, "Scores.rows"),
        ({}, "lacks auc"),
        ({"auc": 1.0, "acu": 1.0}, "'acu' is none of its metrics: auc, rows"),
    ],
)
def test_what_is_no_number_is_refused_by_name(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        Scores(**arguments)


def test_other_annotations_are_refused_at_the_class() -> None:
    with pytest.raises(TypeError, match=r"Bad\.name is annotated 'str'"):

        class Bad(Metrics):
            name: str


def test_numbers_that_are_not_finite_are_found() -> None:
    assert Scores(auc=float("inf")).not_finite() == ("auc",)
    assert Scores(auc=0.5).not_finite() == ()
