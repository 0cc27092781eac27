"""Estimators: stored by skops where it can, else by joblib; loading says on stderr what it trusts."""

from __future__ import annotations

import io
import json
import re
import sys
from functools import partial
from typing import Any

from cloudml.runtime.codecs.base import Codec, CodecError
from cloudml.runtime.codecs.skops_canonical import canonical_archive

LIBRARIES = ("catboost", "imblearn", "lightgbm", "sklearn", "xgboost")
TYPES = (
    "sklearn.base.BaseEstimator",
    "sklearn.base.ClassifierMixin",
    "sklearn.base.ClusterMixin",
    "sklearn.base.OutlierMixin",
    "sklearn.base.RegressorMixin",
    "sklearn.base.TransformerMixin",
    "sklearn.pipeline.Pipeline",
)
TRUSTED_LIBRARIES = ("builtins.", "collections.", "numpy.", "scipy.", "sklearn.")
"""Loading names the types of other libraries only: no model of scikit-learn can be read without these."""
ARCHIVE_MARK = b"PK\x03\x04"
TRAILER_MARK = b"\ncloudml:"  # stands after the pickle's end, where unpickling never looks
TRAILER_LIMIT = 8192
REASON_LIMIT = 500
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def is_estimator_name(type_name: str) -> bool:
    """True for a class of a library whose public classes are estimators."""
    return type_name.partition(".")[0] in LIBRARIES


def codec_of(value: Any) -> Codec:
    """The codec that `value` itself needs: skops, unless it refuses the estimator."""
    archive, reason = _skops_archive(value)
    if archive is None:
        return JOBLIB._replace(write=partial(_dump_joblib, reason=reason))
    return SKOPS._replace(write=partial(_write_archive, archive=archive))


def trusted_types(path: str) -> list[str]:
    """Types in a stored estimator that are not scikit-learn's, numpy's, scipy's or built in; `["*"]` for joblib."""
    if not _is_archive(path):
        return ["*"]
    return _foreign(_unknown_types(path))


def _foreign(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(TRUSTED_LIBRARIES)]


def _is_archive(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(ARCHIVE_MARK)) == ARCHIVE_MARK


def _unknown_types(path: str) -> list[str]:
    from skops.io import get_untrusted_types

    names: list[str] = get_untrusted_types(file=path)
    return names


def _skops_archive(value: Any) -> tuple[bytes | None, str]:
    """The estimator as a canonical skops archive, or None and why there is none."""
    try:
        import skops.io
    except ImportError:
        return None, "skops is not installed"
    try:
        archive = canonical_archive(skops.io.dumps(value))
        unknown = skops.io.get_untrusted_types(data=archive)
        if _foreign(unknown):  # skops' own tests load scikit-learn's classes; of others it may only seem to dump
            skops.io.loads(archive, trusted=unknown)
    except Exception as error:  # noqa: BLE001 - skops and the estimators' own __getstate__ raise what they like
        told = ADDRESS.sub("", f"{type(error).__name__}: {error}")  # an address would change the digest every time
        return None, f"skops cannot store it ({told})"
    return archive, ""


def _write_archive(value: Any, path: str, *, archive: bytes) -> None:
    with open(path, "wb") as file:
        file.write(archive)


def write_estimator(value: Any, path: str) -> None:
    """Store an estimator in the format that it needs; the same estimator gives the same bytes.

    Raises:
        CodecError: neither skops nor joblib can store it.
    """
    codec_of(value).write(value, path)


def _dump_joblib(value: Any, path: str, *, reason: str) -> None:
    """joblib's pickle, then a note that says why it had to be one."""
    import joblib

    try:
        with open(path, "wb") as file:
            joblib.dump(value, file)
            file.write(TRAILER_MARK + json.dumps(reason[:REASON_LIMIT]).encode() + b"\n")
    except OSError:
        raise
    except Exception as error:
        raise CodecError(f"{type(value).__name__} can be stored neither by skops nor by joblib: {error}") from error


def read_skops(path: str, type_name: str) -> Any:
    """The stored estimator. Types from outside scikit-learn's world are named on stderr before they are used."""
    import skops.io

    unknown = _unknown_types(path)
    foreign = _foreign(unknown)
    if foreign:
        sys.stderr.write(f"cloudml: loading {type_name} trusts {', '.join(foreign)}\n")
    return skops.io.load(path, trusted=unknown)


def read_joblib(path: str, type_name: str) -> Any:
    """The stored estimator. Loading a pickle runs code: stderr says so, and why it was needed."""
    import joblib

    reason = _reason(path) or "it was stored by joblib"
    sys.stderr.write(f"cloudml: loading {type_name} runs code from its file, a pickle, because {reason}\n")
    return joblib.load(path)


def _reason(path: str) -> str:
    with open(path, "rb") as file:
        file.seek(0, io.SEEK_END)
        file.seek(max(0, file.tell() - TRAILER_LIMIT))
        tail = file.read()
    _, mark, note = tail.rpartition(TRAILER_MARK)
    return str(json.loads(note)) if mark else ""


def read_estimator(path: str, type_name: str) -> Any:
    """The stored estimator, in whichever of the two formats the file is."""
    return read_skops(path, type_name) if _is_archive(path) else read_joblib(path, type_name)


SKOPS = Codec(
    "estimators", TYPES, "skops", ".skops", ("skops", "joblib"), write_estimator, read_estimator, verify_first=True
)
JOBLIB = Codec(
    "estimators", TYPES, "joblib", ".joblib", ("skops", "joblib"), write_estimator, read_estimator, verify_first=True
)
CODECS = (SKOPS, JOBLIB)
