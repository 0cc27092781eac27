"""What every test may use: the tree, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_GENERATED = {
    ".git", ".venv", ".venv-ci", ".cloudml", "__pycache__", "build", "demo", "dist", "node_modules", "site",
    ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache",
}  # fmt: skip

Cloudml = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long, and repeats at length what a shorter test holds, runs when `CLOUDML_SLOW` is set."""
    if os.environ.get("CLOUDML_SLOW"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long: set CLOUDML_SLOW=1"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the tree."""
    return ROOT


@pytest.fixture(scope="session")
def written_files() -> tuple[Path, ...]:
    """Every file that people write, absolute and sorted: neither caches nor environments nor what a build left."""
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name in _GENERATED or entry.name.endswith(".egg-info"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


@pytest.fixture(scope="session")
def plain_environment() -> dict[str, str]:
    """The environment of a user: nothing of cloudml set, no terminal, no colours, the scripts of this Python first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDML_", "PYTEST_", "COV_"))}
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([scripts, kept.get("PATH", "")]), "NO_COLOR": "1", "COLUMNS": "120"}


@pytest.fixture(scope="session")
def run_cloudml(plain_environment: dict[str, str]) -> Cloudml:
    """`run_cloudml("check", cwd=project)` in a process of its own; the exit code is for the caller to judge."""

    def run(*arguments: str, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cloudml", *arguments]
        return subprocess.run(
            command, cwd=cwd, env=plain_environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run
