"""Values of at least `LARGE` bytes: written from memory, mapped when read, verified all the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudml.runtime.codecs import codec_for_value
from cloudml.runtime.codecs.arrays import array_pieces
from cloudml.runtime.digest import LARGE, measure
from tests.unit.runtime.conftest import Workbench

ROW = np.arange(12.0).reshape(3, 4)

ARRAYS = {
    "rows first": ROW,
    "columns first": np.asfortranarray(ROW),
    "reversed": ROW[:, ::-1],
    "every other": ROW[:, ::2],
    "no dimension": np.array(3),
    "big-endian": ROW.astype(">f4"),
    "dates": np.array(["2025-01-01", "NaT"], dtype="datetime64[D]"),
    "text": np.array(["ž", "ab"]),
    "records": np.array([(1, 2.5)], dtype=[("n", "i4"), ("x", "f8")]),
    "records with names outside of Latin-1": np.array([(1,)], dtype=[("ěšč", "i4")]),
    "booleans": np.array([[True], [False]]),
}


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_the_pieces_of_an_array_are_what_numpy_saves(array: np.ndarray[Any, Any]) -> None:
    saved = io.BytesIO()
    np.save(saved, array)
    pieces = array_pieces(array)
    assert pieces is None or b"".join(pieces) == saved.getvalue()


@pytest.mark.parametrize("name", ["rows first", "columns first", "dates", "text", "records", "booleans"])
def test_one_block_of_memory_is_not_copied(name: str) -> None:
    assert array_pieces(ARRAYS[name]) is not None


@pytest.mark.parametrize("array", [np.array([object()]), np.ma.masked_array([1, 2], [True, False]), np.empty(0)])
def test_what_is_no_plain_block_has_no_pieces(array: Any) -> None:
    assert array_pieces(array) is None


@pytest.mark.parametrize("value", [b"abc", bytearray(b"abc"), memoryview(b"abcdef")[::2]])
def test_the_pieces_of_bytes_are_the_bytes(value: Any, tmp_path: Path) -> None:
    codec = codec_for_value(value, "bytes")
    assert codec.pieces is not None
    pieces = codec.pieces(value)
    assert pieces is None or b"".join(pieces) == bytes(value)


LARGE_ARRAY = """
import numpy as np

def make() -> np.ndarray:
    return np.arange(3_000_000, dtype="f8")[::-1][::-1].reshape(1000, 3000)

def change(x: np.ndarray) -> float:
    x[0, 0] = -1.0
    return float(x.sum())
"""


def _stored(bench: Workbench, output: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    result = bench.run(LARGE_ARRAY, "make", outputs=[output("numpy.ndarray")])
    assert result["failure"] is None
    made: dict[str, Any] = result["outputs"][0]
    assert made["size"] >= LARGE
    return {name: made[name] for name in ("path", "format", "digest", "filename")}


def test_a_large_array_comes_back_and_may_be_written_to(bench: Workbench, output: Callable[..., Any]) -> None:
    stored = _stored(bench, output)
    assert np.array_equal(np.load(stored["path"]), np.arange(3_000_000, dtype="f8").reshape(1000, 3000))
    kept = bench.root / "kept.npy"
    Path(stored["path"]).rename(kept)
    port = {"name": "x", "type": "numpy.ndarray", "mode": "value", **stored, "path": str(kept)}
    result = bench.run(LARGE_ARRAY, "change", inputs=[port], outputs=[output("float")])
    assert result["values"] == {"output": 3_000_000 * 2_999_999 / 2 - 1.0}
    assert measure(kept, stored["digest"])[0] == stored["digest"]  # the change stayed in memory


def test_one_changed_byte_of_a_large_array_is_found(bench: Workbench, output: Callable[..., Any]) -> None:
    stored = _stored(bench, output)
    kept = bench.root / "kept.npy"
    Path(stored["path"]).rename(kept)
    with kept.open("r+b") as file:
        file.seek(-9, io.SEEK_END)
        file.write(b"\x01")
    port = {"name": "x", "type": "numpy.ndarray", "mode": "value", **stored, "path": str(kept)}
    result = bench.run(LARGE_ARRAY, "change", inputs=[port], outputs=[output("float")])
    assert result["failure"]["exception"].endswith("CorruptArtifact")
