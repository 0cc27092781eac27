"""Nothing heavy is imported before it is needed: speed is a feature."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "aiohttp", "boto3", "botocore", "click", "google", "grpc", "kfp", "numpy", "optuna", "pandas", "polars", "pyarrow",
    "pydantic", "rich", "scipy", "skops", "sklearn", "sqlite3", "starlette", "uvicorn", "yaml",
)  # fmt: skip
CLOUDS_AND_LEARNING = ("boto3", "botocore", "google", "grpc", "kfp", "optuna", "pandas", "scipy", "sklearn", "skops")

# Google's packages enter their empty namespaces by a .pth file before any program begins: those have no file.
REPORT = (
    "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name, module in sys.modules.items() "
    "if name.partition('.')[0] != 'google' or getattr(module, '__file__', None)})))"
)


def imported(statement: str, cwd: Path, environment: dict[str, str]) -> set[str]:
    """Top-level names of all modules that are loaded after the statement, in a fresh interpreter."""
    command = [sys.executable, "-c", f"{statement}\n{REPORT}"]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import cloudml",
        "from cloudml.cli import main; main(['--help'])",
        "from cloudml.cli import main; main(['--version'])",
        "import cloudml.runtime.main",
        "import cloudml_vertex, cloudml_vertex.mock.port, cloudml_sagemaker.mock.port",
        "import cloudml as ml; ml.processing, ml.training, ml.Metrics, ml.Out",
    ],
)
def test_these_import_nothing_heavy(statement: str, tmp_path: Path, plain_environment: dict[str, str]) -> None:
    assert imported(statement, tmp_path, plain_environment).isdisjoint(HEAVY)


def test_decorated_functions_are_imported_without_pydantic(tmp_path: Path, plain_environment: dict[str, str]) -> None:
    """A step's process imports the author's module: it must not pay for the model of the pipeline."""
    source = (
        "from __future__ import annotations\nimport cloudml as ml\n"
        "class Scores(ml.Metrics):\n    auc: float\n"
        "@ml.processing(cpu=2, memory='1Gi', retries=2, timeout='1h')\ndef one(n: int = 1) -> Scores:\n"
        "    return Scores(auc=float(n))\n"
    )
    (tmp_path / "steps.py").write_text(source, encoding="utf-8")
    loaded = imported(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import steps", tmp_path, plain_environment)
    assert loaded.isdisjoint(HEAVY)


def test_checking_a_project_imports_no_learning_and_no_cloud(tmp_path: Path, plain_environment: dict[str, str]) -> None:
    begin = "from cloudml.cli import main; assert main(['init', 'churn', 'demo']) == 0"
    imported(begin, tmp_path, plain_environment)
    check = "from cloudml.cli import main; assert main(['check', '--project', 'demo']) == 0"
    assert imported(check, tmp_path, plain_environment).isdisjoint(CLOUDS_AND_LEARNING)
