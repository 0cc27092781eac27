"""The README's two commands, and the script that runs them as CI."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest


def command(readme: str, name: str) -> str:
    """The one line of the block below the mark that `.ci/run` looks for."""
    found = re.findall(rf"^<!-- command: {name} -->\n```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"README.md has {len(found)} blocks marked {name}"
    lines = found[0].splitlines()
    assert len(lines) == 1, "the command is not a single line"
    return str(lines[0])


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "pins", "last"),
    [
        ("deploy", "requirements/local.txt", "cloudml deploy --backend local --project demo"),
        ("tests", "requirements/dev.txt", "python -m pytest -n 2"),
    ],
)
def test_each_command_sets_up_from_pins_and_ends_in_its_job(name: str, pins: str, last: str, readme: str) -> None:
    parts = command(readme, name).split(" && ")
    assert parts[0] == "python3 -m venv .venv"
    assert parts[1] == f".venv/bin/pip install --require-hashes -r {pins}"
    assert parts[2].startswith(".venv/bin/pip install --no-build-isolation --no-deps ")
    assert parts[-1] == f".venv/bin/{last}"


@pytest.mark.parametrize("script", [".ci/run", "requirements/refresh"])
def test_scripts_can_be_run(script: str, repository: Path) -> None:
    path = repository / script
    assert os.access(path, os.X_OK)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize("name", ["deploy", "tests"])
def test_ci_runs_the_very_commands(name: str, readme: str, repository: Path, tmp_path: Path) -> None:
    """Its own function finds in the README what this test finds."""
    text = (repository / ".ci" / "run").read_text(encoding="utf-8")
    function = re.search(r"^readme_command\(\).*?^}$", text, re.MULTILINE | re.DOTALL)
    assert function is not None
    assert f'"$(readme_command {name})"' in text
    script = f"{function[0]}\nreadme_command {name}"
    done = subprocess.run(["bash", "-c", script], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout == command(readme, name) + "\n"
