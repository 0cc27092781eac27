from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from cloudml.runtime.batch import batch_predict
from cloudml.runtime.codecs import codec_for_value
from cloudml.runtime.handles import Dataset, Model
from cloudml.runtime.predictor import load_predictor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

ROWS = [{"a": 0.0, "b": 1.0}, {"a": 3.0, "b": 0.5}]


def save(estimator: BaseEstimator, path: Path) -> str:
    codec_for_value(estimator, "sklearn.base.BaseEstimator").write(estimator, str(path))
    return str(path)


def frame(classes: int = 2, rows: int = 60) -> tuple[pl.DataFrame, Any]:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    return table, np.arange(rows) % classes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(source: str) -> str:
        (tmp_path / "serving_of_test.py").write_text(textwrap.dedent(source))
        sys.modules.pop("serving_of_test", None)
        return "serving_of_test:predict"

    return write


def test_a_binary_classifier_gives_the_second_class(tmp_path: Path) -> None:
    table, labels = frame()
    estimator = LogisticRegression().fit(table, labels)
    predict = load_predictor(save(estimator, tmp_path / "model"), None)
    expected = estimator.predict_proba(pl.DataFrame(ROWS))[:, 1].tolist()
    swapped = [{"extra": "ignored", "b": row["b"], "a": row["a"]} for row in ROWS]
    assert predict(ROWS) == predict(swapped) == expected
    assert predict([]) == []


def test_more_classes_give_every_probability(tmp_path: Path) -> None:
    table, labels = frame(classes=3)
    estimator = LogisticRegression().fit(table, labels)
    answers = load_predictor(save(estimator, tmp_path / "model"), None)(ROWS)
    assert [len(answer) for answer in answers] == [3, 3]
    assert [round(sum(answer), 9) for answer in answers] == [1.0, 1.0]


def test_a_regressor_without_names_predicts_in_the_order_of_the_rows(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), [2.0, 1.0, 3.0])
    answers = load_predictor(save(estimator, tmp_path / "model"), None)([{"a": 1.0, "b": 1.0}, {"b": 1.0, "a": 0.0}])
    assert answers == pytest.approx([3.0, 2.0])


def test_a_missing_feature_is_named_with_its_row(tmp_path: Path) -> None:
    table, labels = frame()
    predict = load_predictor(save(LogisticRegression().fit(table, labels), tmp_path / "model"), None)
    with pytest.raises(ValueError, match="row 1 lacks the feature 'b'"):
        predict([ROWS[0], {"a": 1.0}])


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [("pl.DataFrame", "polars.dataframe.frame.DataFrame"), ("'pd.DataFrame'", "DataFrame"), ("list", "list")],
)
def test_the_annotation_says_what_rows_are(
    project: Callable[[str], str], tmp_path: Path, annotation: str, kind: str
) -> None:
    name = project(f"""
        import polars as pl
        def predict(model, rows: {annotation}) -> list:
            kind = type(rows)
            return [kind.__module__ + "." + kind.__qualname__] * len(rows)
    """)
    model = Model(tmp_path / "model")
    model.save(LinearRegression().fit([[0.0], [1.0]], [0, 1]))
    [first, second] = load_predictor(str(model.path), name, [str(tmp_path)])(ROWS)
    assert first == second
    assert first.endswith(kind)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rows['a']", [0.0, 3.0]),
        ("rows['a'].to_numpy()", [0.0, 3.0]),
        ("rows.to_numpy()", [[0.0, 1.0], [3.0, 0.5]]),
        ("rows.select('a')", [0.0, 3.0]),
        ("rows", ROWS),
        ("[1, None]", [1, None]),
    ],
)
def test_answers_become_json_values(
    project: Callable[[str], str], tmp_path: Path, expression: str, expected: list[Any]
) -> None:
    name = project(f"import polars\ndef predict(model, rows: polars.DataFrame): return {expression}")
    path = save(LinearRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model")
    assert load_predictor(path, name, [str(tmp_path)])(ROWS) == expected


@pytest.mark.parametrize("expression", ["[1]", "0.5", "'ab'"])
def test_another_number_of_answers_is_an_error(project: Callable[[str], str], tmp_path: Path, expression: str) -> None:
    name = project(f"def predict(model, rows): return {expression}")
    path = save(LinearRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model")
    with pytest.raises(RuntimeError, match="each"):
        load_predictor(path, name, [str(tmp_path)])(ROWS)


def test_a_predictor_may_ask_for_the_place_of_its_model(project: Callable[[str], str], tmp_path: Path) -> None:
    name = project("""
        from pathlib import Path
        def predict(model: Path, rows): return [(model / "weights.txt").read_text()] * len(rows)
    """)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "weights.txt").write_text("w")
    assert load_predictor(str(folder), name, [str(tmp_path)])(ROWS) == ["w", "w"]


def test_rows_that_form_no_table_are_the_callers_fault(project: Callable[[str], str], tmp_path: Path) -> None:
    name = project("import polars\ndef predict(model, rows: polars.DataFrame): return rows['a']")
    path = save(LinearRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model")
    with pytest.raises(ValueError, match="do not form a table"):
        load_predictor(path, name, [str(tmp_path)])([{"a": 1}, {"a": {"b": [1]}}])


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no model"):
        load_predictor(str(tmp_path / "none"), None)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_keep_order_and_columns(tmp_path: Path, batch_size: int) -> None:
    table, labels = frame(rows=20)
    estimator = LogisticRegression().fit(table, labels)
    data = table.with_columns(id=pl.int_range(20))
    model = Path(save(estimator, tmp_path / "model"))
    made = batch_predict(model, data, batch_size=batch_size, keep=["id"]).predictions
    assert made.columns == ["id", "prediction"]
    assert made["id"].to_list() == list(range(20))
    assert made["prediction"].to_list() == pytest.approx(estimator.predict_proba(table)[:, 1].tolist())


def test_a_batch_from_stored_data_and_from_none(tmp_path: Path) -> None:
    table, labels = frame(rows=20)
    model = Path(save(LogisticRegression().fit(table, labels), tmp_path / "model"))
    saved = Dataset(tmp_path / "data")
    saved.save(table)
    table.write_parquet(tmp_path / "plain")
    assert batch_predict(model, saved.path).predictions.equals(batch_predict(model, tmp_path / "plain").predictions)
    empty = batch_predict(model, table.clear(), keep=["a"]).predictions
    assert empty.schema == {"a": pl.Float64, "prediction": pl.Float64}


def test_a_batch_refuses_what_cannot_be(tmp_path: Path) -> None:
    table, labels = frame(rows=20)
    model = Path(save(LogisticRegression().fit(table, labels), tmp_path / "model"))
    with pytest.raises(ValueError, match="no columns c"):
        batch_predict(model, table, keep=["c"])
    with pytest.raises(ValueError, match="lacks the features b"):
        batch_predict(model, table.drop("b"))
    with pytest.raises(ValueError, match="batch_size"):
        batch_predict(model, table, batch_size=0)
