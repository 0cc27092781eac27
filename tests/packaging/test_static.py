"""Linting, strict typing and the import law are part of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = {
    "ruff": ["ruff", "check", "--no-fix", "--output-format=concise", "."],
    "mypy": ["mypy"],
    "import law": ["lint-imports"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_static_checks_find_nothing(name: str, repository: Path, plain_environment: dict[str, str]) -> None:
    tool, *arguments = CHECKS[name]
    command = [str(Path(sys.executable).parent / tool), *arguments]
    done = subprocess.run(
        command, cwd=repository, env=plain_environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"`{' '.join([tool, *arguments])}` says:\n{done.stdout}{done.stderr}"
