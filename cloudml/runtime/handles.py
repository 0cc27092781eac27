"""Handles: what a step gets when it wants a place rather than a value, and the annotations that ask for one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

T = TypeVar("T")

In: TypeAlias = Annotated[T, "in"]
"""`data: In[Dataset]`: the step reads from the handle. To a type checker it is a `Dataset`."""

Out: TypeAlias = Annotated[T, "out"]
"""`model: Out[Model]`: the step must write to the handle; it becomes an output of that name."""

MANIFEST = "manifest.json"


class Handle:
    """A file or folder of a step. `path` is the exact place; as an `Out` it does not exist yet."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and getattr(other, "path", None) == self.path

    def __hash__(self) -> int:
        return hash((type(self), self.path))


class File(Handle):
    """Any file or folder."""

    __slots__ = ()


class Report(Handle):
    """Something for people to read: HTML, Markdown, an image, or a folder of them."""

    __slots__ = ()


class _Stored(Handle):
    """A handle whose content a codec can write and read."""

    __slots__ = ()

    def _save(self, value: Any) -> None:
        from cloudml.runtime.codecs import codec_for_value, public_name

        type_name = public_name(type(value))
        codec = codec_for_value(value, type_name)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            codec.write(value, str(temporary / f"object{codec.suffix}"))
            manifest = {"format": codec.format, "type": type_name, "trusted": _trusted(codec.format, temporary)}
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
            _remove(self.path)
            temporary.rename(self.path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _load(self, type_name: str | None) -> Any:
        from cloudml.runtime.codecs import read_value

        manifest = read_manifest(self.path)
        return read_value(str(stored_object(self.path)), type_name or str(manifest["type"]), manifest["format"])


class Dataset(_Stored):
    """A data set: one file, a folder of files, or what `save` made of a frame or an array."""

    __slots__ = ()

    def save(self, frame: Any) -> None:
        """Write a frame, array or JSON value at `path` (a folder with the object and its manifest)."""
        self._save(frame)

    def load(self, type: type[Any] | str | None = None) -> Any:  # noqa: A002 - reads best where it is called
        """What `save` wrote, as the type it had, or as `type` (a class or its dotted name) of the same family.

        Raises:
            FileNotFoundError: nothing was saved here; a file that a step wrote itself is read from `path`.
        """
        from cloudml.runtime.codecs import public_name

        return self._load(type if type is None or isinstance(type, str) else public_name(type))


class Model(_Stored):
    """A trained model: what `save` made of an estimator, or any file or folder that the step wrote itself."""

    __slots__ = ()

    def save(self, estimator: Any) -> None:
        """Write an estimator at `path` (a folder with the object and its manifest): skops where it can, else joblib."""
        self._save(estimator)

    def load(self) -> Any:
        """The estimator that `save` wrote. Loading says on stderr what it trusts.

        Raises:
            FileNotFoundError: nothing was saved here; a model that a step wrote itself is read from `path`.
        """
        return self._load(None)


HANDLES: dict[str, type[Handle]] = {
    "cloudml.Dataset": Dataset,
    "cloudml.File": File,
    "cloudml.Model": Model,
    "cloudml.Report": Report,
}
"""The handle classes by the name that the spec gives them."""


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a saved handle: `format`, `type`, `trusted`.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{path} was not written by save(): it has no {MANIFEST}; read it from its path"
        ) from None
    return manifest


def stored_object(path: Path) -> Path:
    """The file beside the manifest that holds the object."""
    found = sorted(path.glob("object.*"))
    if len(found) != 1:
        raise FileNotFoundError(f"{path} must hold one object beside its {MANIFEST}; it holds {len(found)}")
    return found[0]


def _trusted(stored_format: str, folder: Path) -> list[str]:
    if stored_format not in ("skops", "joblib"):
        return []
    from cloudml.runtime.codecs.estimators import trusted_types

    return trusted_types(str(stored_object(folder)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
