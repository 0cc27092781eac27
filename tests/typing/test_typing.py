"""mypy --strict accepts the public API as a user writes it, and refuses what is wrong."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
HERE = Path(__file__).parent


def mypy(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cwd / '.cache'}", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_public_api_is_strictly_typed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import cloudml as ml\n"
        "@ml.processing(cpus=4)\n"
        "def a(x: int) -> int: return x\n"
        "ml.tunes()\n"
        "@ml.processing\n"
        "def b(x: int) -> int: return x\n"
        "y: str = b(1)\n"
    )
    done = mypy(str(HERE / "public_api.py"), str(wrong), cwd=tmp_path)
    faults = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert not [line for line in faults if "public_api" in line], done.stdout
    assert {line.split(":")[1] for line in faults} == {"2", "4", "7"}, done.stdout


def test_the_same_file_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    module = importlib.import_module("public_api")
    assert module.the_spec_is_typed() == "churn"
    from cloudml.validation import validate

    assert [one.code for one in validate(module.churn.build())] == ["CML251"], "a canary without guards is a warning"
