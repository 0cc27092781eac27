"""Arrays: numpy's own file format, and scipy's for sparse matrices. Never a pickle, in either direction."""

from __future__ import annotations

from typing import Any

from cloudml.runtime.codecs.base import Codec, CodecError

SPARSE_FORMATS = ("bsr", "coo", "csc", "csr", "dia")
SPARSE_TYPES = tuple(f"scipy.sparse.{name}_{kind}" for name in SPARSE_FORMATS for kind in ("matrix", "array"))


def write_array(value: Any, path: str) -> None:
    """Store an array of any dtype but `object`."""
    import numpy as np

    array = np.asanyarray(value)
    if array.dtype.hasobject:
        raise CodecError(
            f"an array of dtype {array.dtype} holds Python objects: "
            "convert it to numbers or to a string dtype of fixed width"
        )
    with open(path, "wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: str, type_name: str) -> Any:
    """The stored array."""
    import numpy as np

    with open(path, "rb") as file:
        return np.load(file, allow_pickle=False)


def write_sparse(value: Any, path: str) -> None:
    """Store a sparse matrix or sparse array."""
    import scipy.sparse

    with open(path, "wb") as file:
        scipy.sparse.save_npz(file, value)


def read_sparse(path: str, type_name: str) -> Any:
    """The stored matrix, in the sparse format that `type_name` says."""
    import scipy.sparse

    with open(path, "rb") as file:
        matrix = scipy.sparse.load_npz(file)
    wanted = type_name.rpartition(".")[2].partition("_")[0]
    return matrix.asformat(wanted) if wanted in SPARSE_FORMATS else matrix


CODECS = (
    Codec("numpy", ("numpy.ndarray",), "npy", ".npy", ("npy",), write_array, read_array, appends=True),
    Codec("sparse", SPARSE_TYPES, "npz", ".npz", ("npz",), write_sparse, read_sparse),
)
