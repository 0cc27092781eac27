from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from cloudml.runtime.codecs import CodecError
from cloudml.runtime.handles import Dataset, File, In, Model, Out


def fitted() -> LogisticRegression:
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def test_a_model_is_saved_as_object_and_manifest(tmp_path: Path) -> None:
    model = Model(tmp_path / "place" / "model")
    model.save(fitted())
    assert sorted(path.name for path in model.path.iterdir()) == ["manifest.json", "object.skops"]
    manifest = json.loads((model.path / "manifest.json").read_text())
    assert (manifest["format"], manifest["trusted"]) == ("skops", [])
    assert manifest["type"].startswith("sklearn.linear_model")
    assert model.load().predict([[1.0]]).tolist() == [1]


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    data = Dataset(tmp_path / "data")
    data.save(pl.DataFrame({"x": [1]}))
    data.save(np.arange(3))
    assert data.load().tolist() == [0, 1, 2]
    assert os.listdir(tmp_path) == ["data"]


def test_a_data_set_loads_as_another_table_class(tmp_path: Path) -> None:
    data = Dataset(tmp_path / "data")
    data.save(pl.DataFrame({"x": [1, 2]}))
    assert data.load().to_dict(as_series=False) == {"x": [1, 2]}
    assert isinstance(data.load(pd.DataFrame), pd.DataFrame)
    assert data.load("pandas.DataFrame")["x"].tolist() == [1, 2]
    with pytest.raises(CodecError, match="parquet"):
        data.load("numpy.ndarray")


def test_what_save_refuses_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CodecError):
        Dataset(tmp_path / "data").save({1, 2})
    assert os.listdir(tmp_path) == []


def test_loading_what_was_not_saved_says_so(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    with pytest.raises(FileNotFoundError, match=r"not written by save\(\)"):
        Model(tmp_path / "model").load()


def test_a_handle_is_a_path_for_the_standard_library(tmp_path: Path) -> None:
    file = File(str(tmp_path / "a"))
    with open(file, "w") as stream:
        stream.write("x")
    assert file.path.read_text() == "x"
    assert file == File(tmp_path / "a")
    assert file != Dataset(tmp_path / "a")


def test_annotations_are_the_handle_to_a_type_checker() -> None:
    def step(data: In[Dataset], model: Out[Model]) -> None: ...

    from typing import get_type_hints

    assert get_type_hints(step) == {"data": Dataset, "model": Model, "return": type(None)}
    assert get_type_hints(step, include_extras=True)["model"].__metadata__ == ("out",)
