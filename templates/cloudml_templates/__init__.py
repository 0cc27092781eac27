"""Project templates for `cloudml init`: plain files, copied as they are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files as _resources
from importlib.resources.abc import Traversable

_DESCRIPTIONS = {
    "churn": "Which customers are about to leave? Extract, tune, judge and serve a model every week.",
}
_NOT_SHIPPED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".cloudml", ".DS_Store"})


def templates() -> dict[str, str]:
    """The templates by name, each with a line that says what it is."""
    return dict(_DESCRIPTIONS)


def files(name: str) -> dict[str, bytes]:
    """The files of a template: relative POSIX path -> content, sorted by path.

    Raises:
        KeyError: there is no template of that name.
    """
    if name not in _DESCRIPTIONS:
        raise KeyError(f"there is no template {name!r}; there is: {', '.join(sorted(_DESCRIPTIONS))}")
    return dict(sorted(_walk(_resources(__name__) / name, "")))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name in _NOT_SHIPPED or entry.name.endswith(".pyc"):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()
