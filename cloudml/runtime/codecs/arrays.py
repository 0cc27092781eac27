"""Arrays: numpy's own file format, and scipy's for sparse matrices. Never a pickle, in either direction."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any

from cloudml.runtime.codecs.base import Codec, CodecError
from cloudml.runtime.digest import LARGE

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


def array_pieces(value: Any) -> tuple[memoryview, ...] | None:
    """The header that numpy would write, and the array's own memory, where it is one block in either order."""
    import numpy as np
    from numpy.lib import format as npy

    if type(value) is not np.ndarray or value.dtype.hasobject or not value.size:
        return None
    header = BytesIO()
    try:
        npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(value))
    except ValueError:
        return None  # a dtype too long, or named too well, for this version of the header
    flags = value.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        return None
    flat = (value if flags.c_contiguous else value.T).reshape(-1)
    return header.getbuffer(), flat.view(np.uint8).data


def read_array(path: str, type_name: str) -> Any:
    """The stored array. A large one is mapped, not copied; what is written into it stays in this process."""
    import numpy as np

    if os.path.getsize(path) >= LARGE:
        try:
            return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
        except OSError:  # a filesystem that cannot map files
            pass
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
    Codec("numpy", ("numpy.ndarray",), "npy", ".npy", ("npy",), write_array, read_array, pieces=array_pieces),
    Codec("sparse", SPARSE_TYPES, "npz", ".npz", ("npz",), write_sparse, read_sparse),
)
