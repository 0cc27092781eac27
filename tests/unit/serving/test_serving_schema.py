from __future__ import annotations

import pytest

from cloudml.serving.problems import RequestProblem
from cloudml.serving.schema import FeatureSchema

SAMPLE = [{"age": 30, "fee": 1.5, "plan": "basic", "active": True, "extra": None}]


def schema() -> FeatureSchema:
    return FeatureSchema.from_sample(SAMPLE)


def row(**changes: object) -> dict[str, object]:
    return {**SAMPLE[0], **changes}


def test_kinds_come_from_the_sample_and_a_float_anywhere_makes_a_float_column() -> None:
    learnt = FeatureSchema.from_sample([{"a": 1, "b": 1}, {"a": 2.5, "b": "x"}])
    assert learnt.kinds == {"a": "float", "b": "any"}


def test_declared_features_fix_names_and_order() -> None:
    learnt = FeatureSchema.from_sample([{"b": 1, "a": 2, "label": 0}], ["a", "b"])
    assert list(learnt.conform([{"b": 1, "a": 2, "label": 9}])[0]) == ["a", "b"]


def test_integers_become_floats_where_the_sample_has_floats() -> None:
    (conformed,) = schema().conform([row(fee=2)])
    assert conformed["fee"] == 2.0
    assert isinstance(conformed["fee"], float)
    assert isinstance(conformed["age"], int)


def test_a_missing_value_is_null_and_reaches_the_model() -> None:
    assert schema().conform([row(age=None)])[0]["age"] is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (row(age="thirty"), ["row 1", "'age'", "number", "thirty"]),
        (row(age=True), ["row 1", "'age'", "number", "true"]),
        (row(fee=float("inf")), ["row 1", "'fee'", "finite"]),
        (row(age=2**63), ["row 1", "'age'", "64 bits"]),
        (row(plan=3), ["row 1", "'plan'", "text"]),
        (row(active=1), ["row 1", "'active'", "true or false"]),
        (row(age=[1]), ["row 1", "'age'", "a list"]),
        ({"age": 1}, ["row 1", "missing", "'fee'", "'plan'"]),
        ("text", ["row 1", "object"]),
        ([1, 2], ["row 1", "2 values for 5 features"]),
    ],
)
def test_a_bad_row_is_refused_with_its_index_and_feature(bad: object, words: list[str]) -> None:
    with pytest.raises(RequestProblem) as refused:
        schema().conform([row(), bad])
    assert refused.value.status == 400
    for word in words:
        assert word in refused.value.message


def test_values_in_order_are_a_row_when_the_order_is_known() -> None:
    assert schema().conform([[1, 2.0, "basic", False, None]])[0]["plan"] == "basic"
    with pytest.raises(RequestProblem, match="order of the features"):
        FeatureSchema().conform([[1, 2]])


def test_without_names_any_object_of_finite_values_passes() -> None:
    assert FeatureSchema().conform([{"a": [1, 2], "b": {"c": 1}}]) == [{"a": [1, 2], "b": {"c": 1}}]
    with pytest.raises(RequestProblem, match="finite"):
        FeatureSchema().conform([{"a": float("nan")}])
