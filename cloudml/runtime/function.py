"""Finding the user's function, and the process it finds itself in: import path, threads, seeds."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from cloudml.runtime.failures import StepError

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
NUMPY_SEED_LIMIT = 2**32

_loading = False


class FunctionNotFound(StepError):
    """`module:qualname` names nothing that can be called."""


def prepare_paths(paths: Iterable[str]) -> None:
    """Put the project's folders first on the import path, in their order."""
    wanted = list(dict.fromkeys(paths))
    sys.path[:] = wanted + [path for path in sys.path if path not in wanted]
    importlib.invalidate_caches()


def limit_threads(threads: int | None) -> None:
    """Let numeric libraries use `threads` threads. A variable that is set already is an explicit wish and stays."""
    if threads is None:
        return
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))


def limit_loaded_threads(threads: int | None) -> None:
    """The same for libraries that were loaded before their variables could tell them."""
    control = sys.modules.get("threadpoolctl")
    if threads is not None and control is not None:
        control.threadpool_limits(threads)


def seed_generators(seed: int | None) -> None:
    """Seed Python's global generator, and numpy's when numpy is loaded."""
    if seed is None:
        return
    import random

    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % NUMPY_SEED_LIMIT)


def load_function(reference: str) -> Callable[..., Any]:
    """The plain function behind `module:qualname`; a decorated object gives its `.fn`.

    What importing the module raises is passed on as it is: it is the user's own code.

    Raises:
        FunctionNotFound: the module has no such attribute, or it cannot be called.
    """
    module_name, separator, qualname = reference.partition(":")
    if not (module_name and separator and qualname):
        raise FunctionNotFound(f"{reference!r} does not name a function; write it as 'package.module:function'")
    found: Any = _import(module_name)
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise FunctionNotFound(f"module {module_name} has no {qualname}") from None
    function = getattr(found, "fn", found)
    if not callable(function):
        raise FunctionNotFound(f"{reference} is a {type(function).__name__}, not a function")
    return function  # type: ignore[no-any-return]


def _import(name: str) -> Any:
    global _loading  # noqa: PLW0603 - one per process
    before, _loading = _loading, True
    try:
        return importlib.import_module(name)
    finally:
        _loading = before


def is_loading() -> bool:
    """Whether a module of the project is being imported for one function of it, in a job: nobody builds a pipeline."""
    return _loading


def parameter_names(function: Callable[..., Any]) -> frozenset[str]:
    """The names of the parameters, seen through `functools.wraps`."""
    code = getattr(_innermost(function), "__code__", None)
    return frozenset() if code is None else frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def positional_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that can be given by position, in their order."""
    code = getattr(_innermost(function), "__code__", None)
    return () if code is None else tuple(code.co_varnames[: code.co_argcount])


def annotation_of(function: Callable[..., Any], name: str) -> Any:
    """The annotation of a parameter, evaluated if it is text; None when it has none or its names are not loaded."""
    inner = _innermost(function)
    annotation = getattr(inner, "__annotations__", {}).get(name)
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(inner, "__globals__", {}))  # noqa: S307 - the text of the project's own code
    except Exception:  # noqa: BLE001 - e.g. a name that is imported only for type checkers
        return None


def location(function: Callable[..., Any]) -> tuple[str, int] | None:
    """File and first line of the function."""
    code = getattr(_innermost(function), "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def _innermost(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
