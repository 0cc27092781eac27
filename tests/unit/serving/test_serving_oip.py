from __future__ import annotations

import pytest

from cloudml.serving import oip
from cloudml.serving.problems import ModelFailed, RequestProblem
from cloudml.serving.schema import FeatureSchema

SCHEMA = FeatureSchema.from_sample([{"x": 1.0, "n": 2}])


def tensor(name: str, shape: list[int], data: object, datatype: str = "FP64") -> dict[str, object]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def test_columns_and_a_matrix_are_the_same_rows() -> None:
    expected = [{"x": 1.5, "n": 1}, {"x": 2.5, "n": 2}]
    columns = {"inputs": [tensor("n", [2], [1, 2], "INT64"), tensor("x", [2, 1], [[1.5], [2.5]])]}
    assert oip.rows_of(columns, SCHEMA) == expected
    for data in ([1.5, 1, 2.5, 2], [[1.5, 1], [2.5, 2]]):
        assert oip.rows_of({"inputs": [tensor("all", [2, 2], data)]}, SCHEMA) == expected


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"shape": [1]}]}, "name"),
        ({"inputs": [tensor("x", [2], [1.0])]}, "do not fill the shape"),
        ({"inputs": [tensor("x", [-1], [1.0])]}, "shape"),
        ({"inputs": [tensor("x", [1], [1.0], "COMPLEX")]}, "COMPLEX"),
        ({"inputs": [tensor("x", [1], [1.0]), tensor("x", [1], [1.0])]}, "same name"),
        ({"inputs": [tensor("x", [1], [1.0]), tensor("n", [2], [1, 2])]}, "different numbers"),
        ({"inputs": [tensor("x", [1, 2], [1.0, 2.0]), tensor("n", [1], [1])]}, "[rows, 1]"),
        ({"inputs": [tensor("x", [1], [1.0])]}, "missing feature 'n'"),
    ],
)
def test_bad_tensors_are_refused(document: object, words: str) -> None:
    with pytest.raises(RequestProblem) as refused:
        oip.rows_of(document, SCHEMA)
    assert refused.value.status == 400
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("values", "datatype", "shape"),
    [
        ([0.5, 1], "FP64", [2]),
        ([1, 2], "INT64", [2]),
        ([True], "BOOL", [1]),
        (["yes"], "BYTES", [1]),
        ([[0.1, 0.9], [0.2, 0.8]], "FP64", [2, 2]),
        ([], "FP64", [0]),
    ],
)
def test_the_answer_is_one_tensor(values: list[object], datatype: str, shape: list[int]) -> None:
    answer = oip.response("m", "3", "abc", values)
    (output,) = answer["outputs"]
    assert (output["datatype"], output["shape"]) == (datatype, shape)
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("m", "3", "abc")


def test_ragged_predictions_are_the_models_fault() -> None:
    with pytest.raises(ModelFailed):
        oip.response("m", "3", None, [[1.0], [1.0, 2.0]])
