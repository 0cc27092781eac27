"""The template package: what `cloudml init` copies."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cloudml_templates

PROJECT = Path(cloudml_templates.__file__).parent / "churn"


def test_every_template_can_be_read() -> None:
    assert "churn" in cloudml_templates.templates()
    for name, description in cloudml_templates.templates().items():
        assert description
        assert "\n" not in description
        assert cloudml_templates.files(name)


def test_files_are_those_on_disk_without_leavings() -> None:
    files = cloudml_templates.files("churn")
    assert list(files) == sorted(files)
    for path, content in files.items():
        assert (PROJECT / path).read_bytes() == content
    assert {"cloudml.toml", "README.md", "churn/pipeline.py", "churn/sql/activity.sql", "tests/test_churn.py"} <= set(
        files
    )
    assert not [path for path in files if "__pycache__" in path or path.endswith((".pyc", ".db", ".skops"))]


def test_an_unknown_template_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="no template 'chrun'; there is: churn"):
        cloudml_templates.files("chrun")


def test_listing_templates_imports_nothing_heavy() -> None:
    code = "import sys, cloudml_templates as t; t.files('churn'); print(*{m.partition('.')[0] for m in sys.modules})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"cloudml", "pydantic", "polars", "numpy", "churn"} & set(answer.stdout.split())


def test_the_project_file_names_a_pipeline_that_is_there() -> None:
    config = tomllib.loads(cloudml_templates.files("churn")["cloudml.toml"].decode())
    module, _, name = config["project"]["pipeline"].partition(":")
    tree = ast.parse(cloudml_templates.files("churn")[f"{module.replace('.', '/')}.py"])
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert config["targets"] == {"local": {"backend": "local"}}


def test_no_module_imports_pandas_or_scikit_learn_before_it_needs_them() -> None:
    for path, content in cloudml_templates.files("churn").items():
        if not path.startswith("churn/") or not path.endswith(".py"):
            continue
        imports = [node for node in ast.walk(ast.parse(content)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {n.name if isinstance(i, ast.Import) else str(i.module) for i in imports for n in i.names}
        assert not [name for name in names if name.startswith("pandas")], path
        top = [node for node in ast.parse(content).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not [ast.unparse(node) for node in top if "sklearn" in ast.unparse(node)], path


def test_the_projects_own_tests_pass_where_it_was_copied(tmp_path: Path) -> None:
    """As a user would: the files in a folder of their own (spaces and all), `pytest` inside it."""
    folder = tmp_path / "my churn žába"
    for path, content in cloudml_templates.files("churn").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " passed" in answer.stdout
