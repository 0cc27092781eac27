from __future__ import annotations

import subprocess
import sys

import pytest

from cloudml.runtime.codecs import parse_type_name, type_accepts


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        ("polars.DataFrame", "pandas.DataFrame"),
        ("pyarrow.lib.Table", "polars.LazyFrame"),
        ("pandas.Series", "pandas.DataFrame"),
        ("polars.dataframe.frame.DataFrame", "polars.DataFrame"),
        ("int", "float"),
        ("int", "typing.Any"),
        ("polars.DataFrame", "object"),
        ("int", "int | None"),
        ("typing.Optional[int]", "None | float"),
        ("list[int]", "list[float]"),
        ("list[int]", "collections.abc.Sequence[int]"),
        ("tuple[int, int]", "list[float]"),
        ("typing.List[int]", "list"),
        ("dict", "dict[str, int]"),
        ("sklearn.linear_model.LogisticRegression", "sklearn.base.BaseEstimator"),
        ("xgboost.XGBClassifier", "sklearn.base.ClassifierMixin"),
        ("cloudml.Model", "cloudml.runtime.handles.Model"),
        ("pathlib.Path", "cloudml.File"),
        ("numpy.typing.NDArray[numpy.float64]", "numpy.ndarray"),
    ],
)
def test_accepted(producer: str, consumer: str) -> None:
    assert type_accepts(producer, consumer)


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        ("numpy.ndarray", "polars.DataFrame"),
        ("polars.DataFrame", "pandas.Series"),
        ("polars.DataFrame", "numpy.ndarray"),
        ("float", "int"),
        ("bool", "float"),
        ("str", "float"),
        ("int | None", "int"),
        ("list[str]", "list[float]"),
        ("list[int]", "tuple[int, int]"),
        ("tuple[int, str]", "tuple[int, int]"),
        ("dict[str, str]", "dict[str, int]"),
        ("cloudml.Dataset", "cloudml.Model"),
        ("cloudml.Dataset", "polars.DataFrame"),
        ("polars.DataFrame", "cloudml.Dataset"),
        ("cloudml.Dataset", "typing.Any"),
        ("polars.DataFrame", "sklearn.base.BaseEstimator"),
        ("sklearn.base.BaseEstimator", "sklearn.linear_model.LogisticRegression"),
    ],
)
def test_refused(producer: str, consumer: str) -> None:
    assert not type_accepts(producer, consumer)


@pytest.mark.parametrize("text", ["list[int", "list]int[", "", "dict[str, ]"])
def test_malformed_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="type name"):
        parse_type_name(text)


def test_names_print_as_they_are_written() -> None:
    assert str(parse_type_name("typing.Dict[str, typing.Optional[list[int]]]")) == "dict[str, list[int] | None]"


def test_asking_imports_no_library() -> None:
    code = (
        "import sys; from cloudml.runtime.codecs import type_accepts; "
        "type_accepts('polars.DataFrame', 'pandas.DataFrame'); "
        "type_accepts('sklearn.svm.SVC', 'sklearn.base.BaseEstimator'); "
        "assert not {'polars', 'pandas', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
