"""Loading what the author wrote: the pipeline, where each step stands, and the code that its functions need."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.errors import CloudmlError, ProjectError
from cloudml.operations.project import Project
from cloudml.operations.tracking import file_digest, project_modules

if TYPE_CHECKING:
    from cloudml import spec
    from cloudml.code import Sources


def load_spec(project: Project, pipeline: str | None = None) -> tuple[spec.Pipeline, dict[str, str]]:
    """The pipeline, and where each step was written. Raises SpecError or ProjectError."""
    place = project.pipelines[project.pipeline(pipeline)]
    if place.endswith((".yaml", ".yml")):
        return _from_yaml(project.root / place), {}
    return _from_module(project.source, place)


def _from_yaml(path: Path) -> spec.Pipeline:
    from cloudml.spec import from_yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"the spec cannot be read: {error}", where=str(path)) from None
    return from_yaml(text, str(path))


def _from_module(root: Path, place: str) -> tuple[spec.Pipeline, dict[str, str]]:
    from cloudml.authoring.pipelines import PipelineFunction

    module_name, _, attribute = place.partition(":")
    _make_importable(root, module_name)
    _forget_edited(root)
    try:
        module = importlib.import_module(module_name)
    except CloudmlError:
        raise
    except ModuleNotFoundError as error:
        hint = "run from the project's environment, or install what is missing"
        raise ProjectError(f"{place}: {error}", where=str(root), hint=hint, code="CML404") from error
    except Exception as error:
        raise ProjectError(
            f"{place} cannot be imported: {type(error).__name__}: {error}", where=_where(error, root), code="CML404"
        ) from error
    found = getattr(module, attribute, None)
    if not isinstance(found, PipelineFunction):
        what = "there is no such name" if found is None else f"it is a {type(found).__name__}"
        raise ProjectError(
            f"{place} is not a pipeline: {what}", where=str(module.__file__), hint="decorate it with @ml.pipeline"
        )
    built = found.build_with_locations()
    _imported.update((path, file_digest(path)) for path in project_modules(root))
    return built


_imported: dict[str, str | None] = {}
"""Digests of the project files that this process has imported, so that an edit is seen by the next build."""


def _forget_edited(root: Path) -> None:
    """When a file of the project changed since it was imported, import all of the project anew."""
    if all(file_digest(path) == digest for path, digest in _imported.items()):
        return
    _imported.clear()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(f"{root}{os.sep}") and name != "__main__":
            del sys.modules[name]


def _make_importable(root: Path, module: str) -> None:
    """Put the project first, and forget modules of the same name from another project in this process."""
    if sys.path[:1] != [str(root)]:
        sys.path.insert(0, str(root))
    top = module.partition(".")[0]
    known = sys.modules.get(top)
    home = getattr(known, "__file__", None) or next(iter(getattr(known, "__path__", [])), None)
    if known is not None and home is not None and not Path(home).resolve().is_relative_to(root):
        for name in [name for name in sys.modules if name == top or name.startswith(top + ".")]:
            del sys.modules[name]
    importlib.invalidate_caches()


def _where(error: BaseException, root: Path) -> str:
    """The innermost line of the project in a traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    where, trace = str(root), error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(str(root)):
            where = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def sources_of(pipeline: spec.Pipeline, project: Project) -> Sources:
    """The code closures of every function that the pipeline names."""
    from cloudml import spec
    from cloudml.code import SourceIndex

    functions: list[tuple[str, tuple[str, ...]]] = []
    for step in spec.walk(pipeline.steps):
        job = step.job if isinstance(step, spec.TuningStep) else step
        if isinstance(job, spec.JobStep):
            functions.append((str(job.function), job.files))
        for field in ("predictor", "function"):
            other = getattr(job, field, None)
            if isinstance(other, spec.FunctionRef):
                functions.append((str(other), ()))
    return SourceIndex(project.source, project.root).sources(functions)
