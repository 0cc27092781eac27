"""What may not stand in any file of the tree, and how big things may grow."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

SOURCES = ("cloudml", "backends", "templates")
MODULE_LINES = 400
TABLES = ("cloudml/errors/codes.py",)  # one entry a line for each code: data, which may grow
FUNCTION_LINES = 60
FILE_BYTES = 500_000

# Put together here so that this file does not hold what it looks for.
PLACES = re.compile(r"(?<![\w.<$}~*-])/(work|root|home/[a-z]+|Users/[A-Za-z]+|opt/(wheels|pypi[\w-]*))/")
REGISTRIES = re.compile(
    "|".join(
        (r"py" + r"pi\.org", "python" + "hosted", "(?<!emit)--(extra-)?ind" + "ex-url", "(?<!emit)--find" + "-links")
    )
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def python_files(written_files: tuple[Path, ...], repository: Path) -> list[Path]:
    roots = [repository / name for name in SOURCES]
    return [path for path in written_files if path.suffix == ".py" and any(root in path.parents for root in roots)]


@pytest.mark.parametrize("pattern", [PLACES, REGISTRIES], ids=["machine path", "registry"])
def test_no_file_names_a_place(pattern: re.Pattern[str], written_files: tuple[Path, ...], repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()[:100]}"
        for path in written_files
        if path != Path(__file__)
        for number, line in enumerate(read(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_patterns_find_what_they_are_for() -> None:
    assert PLACES.search(os.sep.join(["see ", "root", "x.py"]))
    assert PLACES.search("file:" + "//" + "/home" + "/anna/data")
    assert not PLACES.search("{root}/work/x and .cloudml/root/objects and $HOME/work/a")
    assert REGISTRIES.search("pip install --ind" + "ex-url x")


def test_no_big_files(written_files: tuple[Path, ...], repository: Path) -> None:
    big = [str(path.relative_to(repository)) for path in written_files if path.stat().st_size > FILE_BYTES]
    assert not big


def test_modules_stay_small(written_files: tuple[Path, ...], repository: Path) -> None:
    sizes = {path: len(read(path).splitlines()) for path in python_files(written_files, repository)}
    assert sizes
    long = {str(path.relative_to(repository)): lines for path, lines in sizes.items() if lines > MODULE_LINES}
    assert not [f"{name}: {lines} lines" for name, lines in long.items() if name not in TABLES]


def test_functions_stay_small(written_files: tuple[Path, ...], repository: Path) -> None:
    long = [
        f"{path.relative_to(repository)}:{node.lineno} {node.name}: {length} lines"
        for path in python_files(written_files, repository)
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_nothing_is_left_to_do_in_the_sources(written_files: tuple[Path, ...], repository: Path) -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    found = [
        f"{path.relative_to(repository)}:{number}"
        for path in python_files(written_files, repository)
        for number, line in enumerate(read(path).splitlines(), 1)
        if marks.search(line)
    ]
    assert not found, "\n".join(found)
