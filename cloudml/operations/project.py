"""The project: cloudml.toml, found upward from where one stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloudml.backend.port import Target
from cloudml.errors import NotFound, ProjectError

FILE = "cloudml.toml"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Project:
    """A folder with a cloudml.toml. `pipelines` maps names to `module:attribute`; modules are found below `source`.

    `root` is the folder itself: where paths start and where steps are run. `source` is the same, or one below it.
    """

    name: str
    root: Path
    source: Path
    pipelines: Mapping[str, str]
    targets: Mapping[str, Target]

    def pipeline(self, name: str | None = None) -> str:
        """The name of a pipeline; the only one when none is given."""
        if name is None and len(self.pipelines) == 1:
            return next(iter(self.pipelines))
        known = ", ".join(self.pipelines)
        if name is None:
            raise NotFound("the project has several pipelines", hint=f"name one of {known}")
        if name not in self.pipelines:
            raise NotFound(f"the project has no pipeline {name!r}", hint=f"its pipelines are {known}")
        return name

    def target(self, target: str | None = None, backend: str | None = None) -> Target:
        """The target of that name; or the first of that backend, else one without settings; or the first of all."""
        if target is not None:
            if target not in self.targets:
                known = ", ".join(self.targets) or "none"
                raise NotFound(f"the project has no target {target!r}", hint=f"the targets in {FILE} are {known}")
            found = self.targets[target]
            if backend is not None and found.backend != backend:
                raise ProjectError(f"target {target!r} is of backend {found.backend!r}, not {backend!r}")
            return found
        for found in self.targets.values():
            if backend is None or found.backend == backend:
                return found
        name = backend or "local"
        return Target(name, name, self.name, self.root, source=self.source)


def load_project(start: Path | None = None) -> Project:
    """The project around `start` (default: the current folder). Raises ProjectError."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return _read(folder)
    raise ProjectError(
        f"no {FILE} here or in any folder above",
        where=str(here),
        hint="start a project with `cloudml init churn DIR`, or go to one",
    )


def _read(root: Path) -> Project:
    import tomllib

    path = root / FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"not valid TOML: {error}", where=str(path)) from None
    _only(content, {"project", "targets"}, str(path))
    section = content.get("project")
    if not isinstance(section, dict):
        raise ProjectError("there is no [project] section", where=str(path), hint='write [project] with name = "…"')
    _only(section, {"name", "source", "pipeline", "pipelines"}, f"{path} [project]")
    name = section.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        hint = "a letter, then letters, digits, - and _, 63 at most"
        raise ProjectError(f"project.name is {name!r}", where=str(path), hint=hint)
    source = _source(section, path, root)
    targets = _targets(content, path, Target("", "", name, root, source=source))
    return Project(name, root, source, _pipelines(section, path, name), targets)


def _source(section: dict[str, Any], path: Path, root: Path) -> Path:
    given = section.get("source", ".")
    source = (root / given).resolve() if isinstance(given, str) else root
    if not isinstance(given, str) or not source.is_relative_to(root) or not source.is_dir():
        hint = 'write the folder below the project that holds your package, such as source = "src"'
        raise ProjectError(f"project.source is {given!r}", where=f"{path} [project]", hint=hint)
    return source


def _only(section: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(section) - known)
    if unknown:
        raise ProjectError(f"unknown: {', '.join(unknown)}", where=where, hint=f"known are {', '.join(sorted(known))}")


def _pipelines(section: dict[str, Any], path: Path, name: str) -> dict[str, str]:
    given = section.get("pipelines", {})
    if "pipeline" in section:
        given = {str(section["pipeline"]).rpartition(":")[2] or name: section["pipeline"], **given}
    hint = 'write pipeline = "package.module:function", or a path to a .yaml spec'
    if not isinstance(given, dict) or not given:
        raise ProjectError("no pipeline is named", where=f"{path} [project]", hint=hint)
    for key, place in given.items():
        if not isinstance(place, str) or not (_PLACE.fullmatch(place) or place.endswith((".yaml", ".yml"))):
            raise ProjectError(f"pipeline {key} is {place!r}", where=f"{path} [project]", hint=hint)
    return {Path(key).stem if key.endswith((".yaml", ".yml")) else key: place for key, place in given.items()}


def _targets(content: dict[str, Any], path: Path, common: Target) -> dict[str, Target]:
    given = content.get("targets", {})
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise ProjectError("targets are sections", where=str(path), hint='write [targets.local] with backend = "local"')
    found = {}
    for name, settings in given.items():
        backend = settings.get("backend")
        if not isinstance(backend, str) or not _NAME.fullmatch(name):
            raise ProjectError("a target needs a plain name and a backend", where=f"{path} [targets.{name}]")
        rest = {key: value for key, value in settings.items() if key != "backend"}
        found[name] = replace(common, name=name, backend=backend, settings=rest)
    return found
