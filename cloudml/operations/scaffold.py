"""Create a project from a template: a directory of the installed package `cloudml_templates`, copied as it is."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cloudml.errors import DISTRIBUTION, NotFound, ProjectError

TEMPLATES_PACKAGE = "cloudml_templates"

PROJECT_FILE = "cloudml.toml"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".cloudml", ".pytest_cache", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True)
class Template:
    """A project to begin with. `description` is the first line of prose of its README."""

    name: str
    description: str
    path: Path


@dataclass(frozen=True)
class Created:
    """The new project and its files, relative and sorted."""

    directory: Path
    files: tuple[str, ...]


def templates() -> tuple[Template, ...]:
    """The installed templates, by name."""
    found = [
        Template(path.name, _description(path), path)
        for root in _roots()
        for path in root.iterdir()
        if (path / PROJECT_FILE).is_file() and _NAME.fullmatch(path.name)
    ]
    return tuple(sorted(found, key=lambda template: template.name))


def _roots() -> list[Path]:
    from importlib.util import find_spec

    found = find_spec(TEMPLATES_PACKAGE)
    return [Path(place) for place in (found.submodule_search_locations or ())] if found is not None else []


def _description(path: Path) -> str:
    try:
        lines = (path / "README.md").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in lines if line.strip() and not line.startswith(("#", "```", "<", "!"))), "")


def init(template: str, directory: Path) -> Created:
    """Copy a template into a directory that is new or empty. All of it appears, or nothing.

    Raises NotFound for an unknown template, ProjectError (CML421) for a directory that is in use or cannot be written.
    """
    source = _find(template)
    directory = Path(os.path.abspath(directory.expanduser()))
    _refuse_used(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        workplace = Path(tempfile.mkdtemp(prefix=".cloudml-init-", dir=directory.parent))
        try:
            shutil.copytree(source.path, workplace / "project", ignore=_LEFT_OUT)
            os.replace(workplace / "project", directory)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
    except OSError as error:
        raise ProjectError(
            f"cannot create the project: {error.strerror or error}",
            code="CML421",
            where=str(directory),
            hint="choose a directory that you may write to",
        ) from None
    files = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return Created(directory, tuple(files))


def _find(name: str) -> Template:
    known = templates()
    for template in known:
        if template.name == name:
            return template
    names = ", ".join(template.name for template in known)
    hint = (
        f"there are: {names}"
        if names
        else f"this installation has no templates; pip install --force-reinstall {DISTRIBUTION}"
    )
    raise NotFound(f"there is no template {name!r}", hint=hint)


def _refuse_used(directory: Path) -> None:
    """An existing file, link or directory with anything in it stays untouched."""
    if not os.path.lexists(directory):
        return
    if directory.is_symlink() or not directory.is_dir():
        problem = "it is not a directory"
    elif any(directory.iterdir()):
        problem = "the directory is not empty"
    else:
        return
    raise ProjectError(
        f"cannot create a project there: {problem}", code="CML421", where=str(directory), hint="name a new directory"
    )
