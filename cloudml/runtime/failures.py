"""Why a step ended badly: the classes of failure, and the record that the driver shows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from traceback import TracebackException

MESSAGE_LIMIT = 1000
MASK = "***"


class Transient(Exception):
    """Raised by a user's step to say: this may pass, try again."""


class TrialPruned(Exception):
    """This trial of a tuning step is not worth finishing."""


class Interrupted(BaseException):
    """The machine or the user asked the step to stop. Not an `Exception`, so that a broad `except` lets it through."""


class StepError(Exception):
    """The runtime's own refusals: they carry no traceback of the user's code.

    `location`, file and line, is the function that they are about.
    """

    location: tuple[str, int] | None = None


class CorruptArtifact(StepError):
    """An input is missing, or its content is not what its digest says."""


class UnreadableInput(StepError):
    """An input is intact, but its codec cannot turn it into the declared type."""


class MissingSecret(StepError):
    """The environment lacks a secret that the step needs."""


class CannotStore(StepError):
    """The place of the outputs cannot be written: the disk is full, read-only, or gone."""


class WrongOutput(StepError):
    """The function returned, or wrote, something else than it declares."""


class Failure(NamedTuple):
    """The record of a failure: `where` is `file:line` of the user's code, `traceback` has only the user's frames.

    `bases` are the names of the exception's base classes, so that a retry policy may name any of them.
    """

    failure_class: str
    exception: str
    message: str
    traceback: str
    where: str
    bases: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON types, as `result.json` holds them."""
        return {
            "class": self.failure_class,
            "exception": self.exception,
            "message": self.message,
            "traceback": self.traceback,
            "where": self.where,
            "bases": list(self.bases),
        }


CLASSES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((Interrupted, KeyboardInterrupt), "interrupted"),
    ((MemoryError,), "memory"),
    ((Transient, ConnectionError, TimeoutError, InterruptedError), "transient"),
)
TRANSIENT_STATUS = frozenset({408, 425, 429})


def _here() -> str:
    """The folder of cloudml as tracebacks name it, which is not where it lies when it was compiled elsewhere."""
    return os.path.dirname(os.path.dirname(os.path.abspath(_here.__code__.co_filename)))


PACKAGE = _here()


def classify(exception: BaseException) -> str:
    """`transient`, `memory`, `interrupted` or `error`: what a retry policy looks at."""
    for types, name in CLASSES:
        if isinstance(exception, types):
            return name
    return "transient" if _is_passing_url_error(exception) else "error"


def _is_passing_url_error(exception: BaseException) -> bool:
    """An `urllib` failure that may pass; told by name, so that urllib need not be imported."""
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(exception).__mro__}
    if "urllib.error.URLError" not in names:
        return False
    status: Any = getattr(exception, "code", None)
    return status is None or status >= 500 or status in TRANSIENT_STATUS


def exception_name(exception: BaseException) -> str:
    """The name by which a retry policy can list it: dotted, but bare for builtins and for cloudml's own."""
    return _name(type(exception))


def _name(cls: type) -> str:
    if cls.__module__ == "builtins" or cls.__module__.startswith("cloudml.runtime"):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def describe(exception: BaseException, paths: Iterable[str] = (), secrets: Iterable[str] = ()) -> Failure:
    """The record of `exception`. `paths` are the project's folders; `secrets` the values that must not be shown."""
    from traceback import TracebackException

    summary = TracebackException.from_exception(exception)
    _keep_user_frames(summary, set())
    shown = "" if isinstance(exception, StepError) and not summary.stack else "".join(summary.format())
    values = sorted((value for value in secrets if value), key=len, reverse=True)
    return Failure(
        classify(exception),
        exception_name(exception),
        _mask(_one_line(exception), values),
        _mask(shown, values),
        _where(exception, tuple(paths)),
        tuple(_name(base) for base in type(exception).__mro__[1:] if base not in (Exception, BaseException, object)),
    )


def _one_line(exception: BaseException) -> str:
    try:
        text = str(exception)
    except Exception as error:  # noqa: BLE001 - a broken __str__ must not hide the failure itself
        text = f"(its message cannot be shown: {type(error).__name__})"
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


def _mask(text: str, values: list[str]) -> str:
    for value in values:
        text = text.replace(value, MASK)
    return text


def _is_user_file(filename: str) -> bool:
    return not filename.startswith((PACKAGE + os.sep, "<frozen "))


def _keep_user_frames(summary: TracebackException, seen: set[int]) -> None:
    """Drop cloudml's and the import machinery's frames, here and in every chained exception."""
    if id(summary) in seen:
        return
    seen.add(id(summary))
    summary.stack[:] = [frame for frame in summary.stack if _is_user_file(frame.filename)]
    linked = (summary.__cause__, summary.__context__, *(getattr(summary, "exceptions", None) or ()))
    for other in linked:
        if other is not None:
            _keep_user_frames(other, seen)


def _where(exception: BaseException, paths: tuple[str, ...]) -> str:
    """The innermost line of the project that led to the failure; else of any code that is not cloudml's."""
    lines = list(_lines(exception.__traceback__))
    if isinstance(exception, SyntaxError) and exception.filename:
        lines.append((exception.filename, exception.lineno or 1))
    if isinstance(exception, StepError) and exception.location is not None:
        lines.append(exception.location)
    roots = tuple(os.path.join(path, "") for path in paths)
    own = [line for line in lines if line[0].startswith(roots)] if roots else []
    if not (own or lines):
        return ""
    filename, number = (own or lines)[-1]
    root = next((root for root in roots if filename.startswith(root)), "")
    return f"{filename[len(root) :]}:{number}"


def _lines(trace: TracebackType | None) -> Iterable[tuple[str, int]]:
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if _is_user_file(filename):
            yield filename, trace.tb_lineno
        trace = trace.tb_next
