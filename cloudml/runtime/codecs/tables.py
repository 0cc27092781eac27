"""Tables of polars, pandas and pyarrow: one Parquet file, whichever library wrote it and whichever reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from cloudml.runtime.codecs.base import Codec, CodecError

COMPRESSION: Final = "zstd"
SERIES_KEY = b"cloudml.series"
SERIES_COLUMN = "value"
POLARS_HINT = "cast or drop columns of Python objects before returning the table"


def _write_polars(value: Any, path: str) -> None:
    import polars as pl

    frame = value.collect() if isinstance(value, pl.LazyFrame) else value
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise CodecError(f"columns {', '.join(objects)} hold Python objects, which Parquet cannot: {POLARS_HINT}")
    frame.write_parquet(path, compression=COMPRESSION)


def _write_arrow(table: Any, path: str) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, path, compression=COMPRESSION)


def _write_pandas(value: Any, path: str) -> None:
    import pandas as pd

    is_series = isinstance(value, pd.Series)
    frame = value.to_frame(SERIES_COLUMN) if is_series else value
    _write_arrow(_pandas_to_arrow(frame, {"name": value.name} if is_series else None), path)


def _pandas_to_arrow(frame: Any, series: dict[str, Any] | None) -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise CodecError("pandas tables are stored as Parquet by pyarrow: pip install pyarrow") from error
    repeated = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if repeated:
        raise CodecError(f"columns {', '.join(repeated)} occur twice; a stored table needs distinct names")
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CodecError(f"a column of this pandas table has no Parquet type: {error}") from error
    if series is None:
        return table
    return table.replace_schema_metadata({**(table.schema.metadata or {}), SERIES_KEY: json.dumps(series).encode()})


def _read_polars(path: str) -> Any:
    import polars as pl

    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _read_lazily(path: str) -> Any:
    import polars as pl

    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _read_arrow(path: str) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise CodecError("pandas and pyarrow tables are read from Parquet by pyarrow: pip install pyarrow") from error
    return pyarrow.parquet.ParquetFile(path).read()


def _read_pandas(path: str) -> Any:
    return _read_arrow(path).to_pandas()


def _read_series(path: str) -> Any:
    table = _read_arrow(path)
    frame = table.to_pandas()
    if len(frame.columns) != 1:
        raise CodecError(
            f"a table of {len(frame.columns)} columns cannot be read as pandas.Series; declare a DataFrame"
        )
    stored = (table.schema.metadata or {}).get(SERIES_KEY)
    column = frame[frame.columns[0]]
    return column.rename(json.loads(stored)["name"]) if stored is not None else column


READERS: dict[str, Callable[[str], Any]] = {
    "pandas.DataFrame": _read_pandas,
    "pandas.Series": _read_series,
    "polars.DataFrame": _read_polars,
    "polars.LazyFrame": _read_lazily,
    "pyarrow.Table": _read_arrow,
}


def read_table(path: str, type_name: str) -> Any:
    """The table in the Parquet file, as the class that `type_name` says; for `Any`, as a polars frame."""
    from cloudml.runtime.codecs.names import canonical

    return READERS.get(canonical(type_name), _read_polars)(path)


def _codec(name: str, types: tuple[str, ...], write: Callable[[Any, str], None]) -> Codec:
    return Codec(name, types, "parquet", ".parquet", ("parquet",), write, read_table)


CODECS = (
    _codec("polars", ("polars.DataFrame", "polars.LazyFrame"), _write_polars),
    _codec("pandas", ("pandas.DataFrame", "pandas.Series"), _write_pandas),
    _codec("pyarrow", ("pyarrow.Table",), _write_arrow),
)
