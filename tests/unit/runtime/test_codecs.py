from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from cloudml.runtime.codecs import Codec, CodecError, UnknownType, codec_for, codec_for_value, read_value, registry
from cloudml.runtime.codecs.estimators import trusted_types
from cloudml.runtime.metrics import Metrics


def round_trip(value: Any, declared: str, folder: Path, wanted: str | None = None) -> Any:
    codec = codec_for_value(value, declared)
    path = str(folder / "object")
    codec.write(value, path)
    return read_value(path, wanted or declared, codec.format)


COLUMNS: dict[str, Any] = {
    "id": [1, 2, 3],
    "share": [0.5, None, 1.5],
    "name": ["a", "ž", None],
    "active": [True, False, True],
    "at": [dt.datetime(2024, 1, day) for day in (1, 2, 3)],
}


@pytest.mark.parametrize("rows", [3, 0])
@pytest.mark.parametrize("wanted", ["polars.DataFrame", "pandas.DataFrame", "pyarrow.Table"])
@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
def test_tables_are_interchangeable(library: str, wanted: str, rows: int, tmp_path: Path) -> None:
    arrow = pa.table(COLUMNS).slice(0, rows)
    value = {"polars": pl.from_arrow, "pandas": pa.Table.to_pandas, "pyarrow": lambda table: table}[library](arrow)
    declared = "pyarrow.Table" if library == "pyarrow" else f"{library}.DataFrame"
    back = round_trip(value, declared, tmp_path, wanted)
    frame: Any = back if isinstance(back, pl.DataFrame) else pl.from_arrow(pa.table(back))
    assert type(back).__module__.startswith(wanted.partition(".")[0])
    assert frame.columns == list(COLUMNS)
    assert frame.select("id", "name", "active").to_dicts() == [
        {"id": i, "name": n, "active": a}
        for i, n, a in zip(*(COLUMNS[c][:rows] for c in ("id", "name", "active")), strict=True)
    ]
    assert [str(dtype) for dtype in frame.select("id", "share", "name", "active").dtypes] == [
        "Int64",
        "Float64",
        "String",
        "Boolean",
    ]


def test_a_polars_frame_keeps_its_schema_without_rows(tmp_path: Path) -> None:
    schema: dict[str, Any] = {
        "d": pl.Date,
        "c": pl.Categorical,
        "l": pl.List(pl.Int8),
        "s": pl.Struct({"x": pl.Float32}),
        "t": pl.Datetime("us", "Europe/Prague"),
    }
    empty = pl.DataFrame(schema=schema)
    assert round_trip(empty, "polars.DataFrame", tmp_path).schema == empty.schema


def test_a_lazy_frame_is_collected_and_read_lazily(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1, 2]})
    back = round_trip(frame.lazy(), "polars.LazyFrame", tmp_path)
    assert isinstance(back, pl.LazyFrame)
    assert back.collect().equals(frame)


@pytest.mark.parametrize("name", ["amount", None])
def test_a_series_keeps_its_name_and_index(name: str | None, tmp_path: Path) -> None:
    series = pd.Series([1.0, 2.0], index=["a", "b"], name=name)
    pd.testing.assert_series_equal(round_trip(series, "pandas.Series", tmp_path), series)


def test_tables_lie_at_paths_that_look_like_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "day=1 [a] *?"
    folder.mkdir()
    frame = pl.DataFrame({"x": [1]})
    assert round_trip(frame, "polars.DataFrame", folder).equals(frame)
    assert round_trip(frame, "polars.DataFrame", folder, "pandas.DataFrame").columns.tolist() == ["x"]
    assert round_trip(frame, "polars.DataFrame", folder, "polars.LazyFrame").collect().equals(frame)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(12)[::2],
        np.zeros((0, 4), dtype="float32"),
        np.array(["a", "ž"]),
        np.array(3.5),
    ],
)
def test_arrays_round_trip(array: Any, tmp_path: Path) -> None:
    back = round_trip(array, "numpy.ndarray", tmp_path)
    np.testing.assert_array_equal(back, array, strict=True)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="Python objects"):
        round_trip(np.array([{}, 1], dtype=object), "numpy.ndarray", tmp_path)


def test_a_pickle_is_never_read_as_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_value(str(tmp_path / "object.npy"), "numpy.ndarray", "npy")


def test_sparse_matrices_round_trip(tmp_path: Path) -> None:
    matrix = scipy.sparse.csr_matrix([[0, 1], [2, 0]])
    back = round_trip(matrix, "scipy.sparse.csr_matrix", tmp_path)
    assert back.format == "csr"
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())


class Point(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Route:
    points: list[Point]
    name: str
    box: tuple[float, float] | None = None


class Scores(Metrics):
    auc: float


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (True, "bool"),
        (3, "int"),
        (0.1, "float"),
        ("ž\n", "str"),
        (None, "None"),
        ([1, [2]], "list[typing.Any]"),
        ({"a": {"b": None}}, "dict[str, typing.Any]"),
        ((1, "a"), "tuple[int, str]"),
        ([(1.0, 2.0)], "list[tuple[float, ...]]"),
        (None, "polars.DataFrame | None"),
        ([], "list[int]"),
        (Route([Point(1, 2.0)], "r", (0.0, 1.0)), f"{__name__}.Route"),
        ([Route([], "r")], f"list[{__name__}.Route]"),
        (Scores(auc=0.5), f"{__name__}.Scores"),
        (b"\x00\xff", "bytes"),
    ],
)
def test_plain_values_round_trip_with_their_types(value: Any, declared: str, tmp_path: Path) -> None:
    back = round_trip(value, declared, tmp_path)
    assert back == value
    assert type(back) is type(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_any_json_value_round_trips(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    assert round_trip(value, "typing.Any", tmp_path_factory.mktemp("json")) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"auc": [1.0, math.nan]}, r"value\['auc'\]\[1\] is nan"),
        (math.inf, "value is inf"),
        ({1: "a"}, "has the key 1"),
        ([{2}], r"value\[0\] is a set"),
        (dt.date(2024, 1, 1), "value is a date"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CodecError, match=message):
        codec_for("dict").write(value, str(tmp_path / "object"))


def test_numpy_numbers_become_plain_numbers(tmp_path: Path) -> None:
    back = round_trip([np.float32(0.5), np.int64(3), np.bool_(True)], "list", tmp_path)
    assert back == [0.5, 3, True]
    assert [type(item) for item in back] == [float, int, bool]


def training_data() -> tuple[Any, Any]:
    features = np.random.default_rng(0).normal(size=(200, 3))
    return features, (features[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [make_pipeline(StandardScaler(), LogisticRegression()), HistGradientBoostingClassifier(max_iter=5, random_state=0)],
)
def test_estimators_are_stored_by_skops_and_keep_their_digest(
    estimator: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features, labels = training_data()
    contents = []
    for _ in range(2):
        estimator.fit(features, labels)
        codec = codec_for_value(estimator, "sklearn.base.BaseEstimator")
        codec.write(estimator, str(tmp_path / "object"))
        contents.append((tmp_path / "object").read_bytes())
    assert codec.format == "skops"
    assert contents[0] == contents[1]
    back = read_value(str(tmp_path / "object"), "sklearn.base.BaseEstimator", "skops")
    np.testing.assert_array_equal(back.predict_proba(features), estimator.predict_proba(features))
    assert capsys.readouterr().err == ""


def double(x: Any) -> Any:
    return x * 2


class Custom(BaseEstimator):  # type: ignore[misc]
    def __init__(self, hook: Any = None) -> None:
        self.hook = hook

    def predict(self, rows: Any) -> Any:
        return self.hook(rows) if self.hook else [7] * len(rows)


def test_foreign_types_are_named_when_they_are_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "object")
    codec_for_value(Custom(), "sklearn.base.BaseEstimator").write(Custom(), path)
    assert trusted_types(path) == [f"{__name__}.Custom"]
    assert read_value(path, "sklearn.base.BaseEstimator", "skops").predict([1]) == [7]
    assert f"trusts {__name__}.Custom" in capsys.readouterr().err


def test_joblib_serves_where_skops_cannot_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimator = Custom(hook=re.compile("x").sub)
    codec = codec_for_value(estimator, "sklearn.base.BaseEstimator")
    assert codec.format == "joblib"
    assert codec.verify_first
    path = str(tmp_path / "object")
    codec.write(estimator, path)
    assert read_value(path, "sklearn.base.BaseEstimator", "joblib").hook("y", "axa") == "aya"
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "runs code" in err
    assert "skops cannot store it" in err


def test_an_estimator_that_nothing_can_store_is_refused(tmp_path: Path) -> None:
    estimator = FunctionTransformer(func=lambda rows: rows)
    with pytest.raises(CodecError, match="neither by skops nor by joblib"):
        codec_for_value(estimator, "sklearn.base.BaseEstimator").write(estimator, str(tmp_path / "object"))


def test_unknown_types_are_refused() -> None:
    with pytest.raises(UnknownType, match="no codec for set"):
        codec_for("set")
    with pytest.raises(UnknownType, match=r"cloudml\.codecs"):
        codec_for_value(object(), "whatever.Thing")


def test_a_stored_format_of_another_family_is_refused() -> None:
    with pytest.raises(CodecError, match=r"npy file cannot be read as polars\.DataFrame"):
        codec_for("polars.DataFrame", "npy")


def toy_codec(name: str) -> Codec:
    def write(value: Any, path: str) -> None:
        Path(path).write_text(repr(value.real))

    return Codec(name, ("fractions.Fraction",), "toy", ".toy", ("toy",), write, lambda path, _: Path(path).read_text())


def test_another_distribution_may_offer_a_codec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fractions import Fraction

    monkeypatch.setattr(registry, "_third_party", lambda: (("toy-codecs", toy_codec("toy")),))
    assert round_trip(Fraction(1, 2), "fractions.Fraction", tmp_path) == "Fraction(1, 2)"


def test_two_offers_for_one_type_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    offers = (("toy-codecs", toy_codec("a")), ("more-codecs", toy_codec("b")))
    monkeypatch.setattr(registry, "_third_party", lambda: offers)
    with pytest.raises(CodecError, match="more-codecs and toy-codecs"):
        codec_for("fractions.Fraction")


def test_entry_points_are_read_and_a_broken_one_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "toy_codecs.py").write_text(
        "from cloudml.runtime.codecs import Codec\n"
        "CODECS = (Codec('toy', ('toy.Thing',), 'toy', '.toy', ('toy',), None, None),)\n"
    )
    info = tmp_path / "toy_codecs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-codecs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cloudml.codecs]\nbroken = toy_none:X\ntoy = toy_codecs:CODECS\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._third_party.cache_clear()
    try:
        assert codec_for("toy.Thing").name == "toy"
        assert "toy-codecs cannot be loaded" in capsys.readouterr().err
    finally:
        registry._third_party.cache_clear()
