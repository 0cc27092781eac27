"""From a model artifact to a function that answers rows: what a server and a batch job call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cloudml.runtime.function import annotation_of, load_function, positional_names, prepare_paths

Row = dict[str, Any]
PLACES = ("File", "Model", "Path")
"""A predictor whose first parameter is annotated with one of these gets the artifact's place, not a loaded model."""


class Predictor:
    """Answers rows with JSON values, one each. `kind` is the kind of frame that the model wants."""

    def __init__(self, answer: Callable[[Any], Any], kind: str, features: tuple[str, ...] | None) -> None:
        self._answer = answer
        self.kind = kind
        self.features = features

    def __call__(self, rows: list[Row]) -> list[Any]:
        """One JSON value for each row.

        Raises:
            ValueError: the rows do not fit: a feature is missing, or a column mixes types.
            RuntimeError: the model gave another number of answers than it got rows.
        """
        if not rows:
            return []
        if self.features is not None:
            rows = [_select(row, index, self.features) for index, row in enumerate(rows)]
        return self._checked(self._answer(make_frame(rows, self.kind)), len(rows))

    def predict_frame(self, frame: Any) -> list[Any]:
        """The same for a polars frame, which is handed on as it is when the model takes one."""
        if frame.height == 0:
            return []
        if self.kind != "polars":
            return self(frame.to_dicts())
        missing = [name for name in self.features or () if name not in frame.columns]
        if missing:
            raise ValueError(f"the data lacks the features {', '.join(missing)}; it has {', '.join(frame.columns)}")
        chosen = frame if self.features is None else frame.select(self.features)
        return self._checked(self._answer(chosen), frame.height)

    def _checked(self, answer: Any, count: int) -> list[Any]:
        from cloudml.runtime.codecs.json_values import encode

        answers = to_list(answer)
        if len(answers) != count:
            raise RuntimeError(f"the predictor gave {len(answers)} answers for {count} rows; it must give one for each")
        return [encode(value, f"prediction[{index}]") for index, value in enumerate(answers)]


def load_predictor(model_path: str, predictor: str | None, paths: Sequence[str] = ()) -> Predictor:
    """A callable from rows to answers.

    With `predictor` (`module:function`) it calls `function(model, rows)`; the annotation of the second parameter says
    whether rows are a polars frame, a pandas frame or a list of dicts. Without, it asks the estimator itself: the
    probability of the second class, or of each class when there are more, or else the prediction.

    Raises:
        FileNotFoundError: there is no model at `model_path`, or nobody knows how to load it.
        TypeError: without a predictor, the model is no estimator.
    """
    prepare_paths(paths)
    if not os.path.exists(model_path):
        raise FileNotFoundError(f"there is no model at {model_path}")
    if not predictor:
        return _for_estimator(load_model(model_path))
    function = load_function(predictor)
    names = positional_names(function)
    if len(names) < 2:
        raise TypeError(f"{predictor} must take two arguments, the model and the rows; it takes {len(names)}")
    model = _place_or_model(model_path, _annotation_text(function, names[0]))
    return Predictor(lambda frame: function(model, frame), _frame_kind(_annotation_text(function, names[1])), None)


def rows_for(function: Callable[..., Any], rows: list[Row], position: int) -> Any:
    """The rows as the parameter at `position` wants them: a polars or pandas frame, or the list itself."""
    names = positional_names(function)
    return make_frame(rows, _frame_kind(_annotation_text(function, names[position])))


def load_model(path: str) -> Any:
    """The estimator in a model artifact: a file of a codec, or a folder that `Model.save` wrote."""
    from cloudml.runtime.codecs.estimators import read_estimator
    from cloudml.runtime.handles import Model

    if os.path.isdir(path):
        return Model(path).load()
    return read_estimator(path, "a model")


def _place_or_model(path: str, annotation: str) -> Any:
    from cloudml.runtime.handles import File, Model

    wanted = next((name for name in PLACES if annotation.rpartition(".")[2].strip("'\"]") == name), None)
    if wanted is None:
        return load_model(path)
    return {"File": File, "Model": Model, "Path": Path}[wanted](path)


def _annotation_text(function: Callable[..., Any], name: str) -> str:
    """The annotation as text: dotted when its names are loaded, else as it is written."""
    resolved = annotation_of(function, name)
    if isinstance(resolved, type):
        return f"{resolved.__module__}.{resolved.__qualname__}"
    return str(getattr(function, "__annotations__", {}).get(name, ""))


FRAME_WORDS = (("polars", ("polars", "pl")), ("pandas", ("pandas", "pd")))


def _frame_kind(annotation: str) -> str:
    top = annotation.strip("'\"").partition(".")[0]
    return next((kind for kind, words in FRAME_WORDS if top in words), "rows")


def _for_estimator(model: Any) -> Predictor:
    """The estimator's own prediction; features in the order of its training, where it knows their names."""
    method = getattr(model, "predict_proba", None) or getattr(model, "predict", None)
    if method is None:
        raise TypeError(f"{type(model).__name__} has neither predict_proba nor predict: give a predictor function")
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return Predictor(lambda rows: _scores(method(_matrix(rows))), "rows", None)
    return Predictor(lambda frame: _scores(method(frame)), _available_kind(), tuple(str(name) for name in names))


def _available_kind() -> str:
    from importlib.util import find_spec

    return "polars" if find_spec("polars") is not None else "pandas"


def _scores(answer: Any) -> Any:
    """Of two classes' probabilities only the second is news."""
    return answer[:, 1] if getattr(answer, "ndim", 1) == 2 and answer.shape[1] == 2 else answer


def _matrix(rows: list[Row]) -> Any:
    """Rows as a matrix in the order of the first row, for a model that does not know its features' names."""
    import numpy as np

    names = tuple(rows[0])
    return np.array([list(_select(row, index, names).values()) for index, row in enumerate(rows)])


def _select(row: Row, index: int, features: tuple[str, ...]) -> Row:
    for name in features:
        if name not in row:
            raise ValueError(f"row {index} lacks the feature {name!r}")
    return {name: row[name] for name in features}


def make_frame(rows: list[Row], kind: str) -> Any:
    """Rows as a polars or pandas frame; `rows` leaves them as they are.

    Raises:
        ValueError: a column mixes types that no column can hold.
    """
    if kind == "rows":
        return rows
    if kind == "pandas":
        import pandas as pd

        return pd.DataFrame(rows)
    import polars as pl

    try:
        return pl.DataFrame(rows, infer_schema_length=None)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"the rows do not form a table: {error}") from error


def to_list(answer: Any) -> list[Any]:
    """The answers as a list: of a series, an array, a sequence, or a frame (one column: its values; more: dicts)."""
    columns = getattr(answer, "columns", None)
    if columns is not None:
        if len(columns) == 1:
            return to_list(answer[columns[0]])
        rows: list[Any] = answer.to_dicts() if hasattr(answer, "to_dicts") else answer.to_dict("records")
        return rows
    for method in ("to_list", "tolist"):
        if hasattr(answer, method):
            values = getattr(answer, method)()
            return values if isinstance(values, list) else [values]
    if isinstance(answer, (str, bytes, dict)) or not hasattr(answer, "__iter__"):
        raise RuntimeError(f"the predictor returned a {type(answer).__name__}; it must return one answer for each row")
    return list(answer)
