"""What is imported before anything is done decides how fast the command line starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "click",
    "rich",
    "pydantic",
    "yaml",
    "numpy",
    "polars",
    "pandas",
    "sklearn",
    "sqlite3",
    "dataclasses",
    "inspect",
    "asyncio",
)
HERE = Path(__file__).parent


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport json, sys\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["--version"]])
def test_help_and_version_need_the_standard_library_only(arguments: list[str]) -> None:
    loaded = loaded_after(f"from cloudml.cli import main\nassert main({arguments!r}) == 0")
    assert loaded.isdisjoint(HEAVY)
    assert {name for name in loaded if name.startswith("cloudml")} <= {"cloudml", "cloudml.cli", "cloudml.cli.table"}


@pytest.mark.parametrize("command", ["run", "deploy"])
def test_a_run_outside_a_terminal_needs_neither_rich_nor_pydantic_nor_yaml(command: str) -> None:
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(HERE)!r})\n"
        "before = set(sys.modules)\n"
        "import cli_world\nfrom cloudml.cli import main\n"
        "for name in [name for name in sys.modules if name.startswith(('rich', 'pygments'))]: del sys.modules[name]\n"
        "world = cli_world.World()\n"
        "sys.modules.update(cli_world.fake_operations(world, pathlib.Path('.')))\n"
        f"assert main([{command!r}]) == 0\n"
        "assert world.started, 'the run never began'"
    )
    assert loaded_after(code).isdisjoint({"rich", "pydantic", "yaml", "numpy", "polars"})


def test_python_m_cloudml_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudml", "--version"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("cloudml ")
    unknown = subprocess.run(
        [sys.executable, "-m", "cloudml", "depoly"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert unknown.returncode == 64
    assert "did you mean 'cloudml deploy'?" in unknown.stderr
    assert "Traceback" not in unknown.stderr
