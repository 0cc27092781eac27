"""Where the author wrote it: the innermost frame outside this package."""

from __future__ import annotations

import functools
import linecache
import os
import sys
from types import CodeType, TracebackType
from typing import NamedTuple

_OURS = ("cloudml.authoring", "contextlib", "functools")


class Location(NamedTuple):
    """A line of a file. As text, the file is relative to the working directory when it lies below it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{_shown(self.file, os.getcwd())}:{self.line}"

    @property
    def source(self) -> str:
        """The line itself, stripped; empty when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()


@functools.lru_cache(maxsize=1024)
def _shown(file: str, folder: str) -> str:
    try:
        relative = os.path.relpath(file, folder)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative


def caller() -> Location:
    """The line that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_OURS):
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno)


def of_code(code: CodeType) -> Location:
    """The first line of a function, its decorators included."""
    return Location(code.co_filename, code.co_firstlineno)


def of_traceback(traceback: TracebackType | None) -> Location:
    """The innermost line of a traceback."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return caller()
    return Location(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
