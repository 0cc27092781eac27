"""The code of a step: which files its function can reach, and what they hash to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloudml.code import FunctionSource, SourceIndex
from cloudml.errors import ProjectError

FILES = {
    "steps.py": "import helpers\nfrom pkg.inner import deep\n\ndef work():\n    import lazily\n    return other()\n\n"
    "def other():\n    import json\n    from pkg import beside\n\ndef apart():\n    import csv\n",
    "helpers.py": "import os\n",
    "lazily.py": "",
    "unused.py": "",
    "pkg/__init__.py": "",
    "pkg/beside.py": "from . import sibling\n",
    "pkg/sibling.py": "",
    "pkg/inner/__init__.py": "",
    "pkg/inner/deep.py": "from ..sibling import x\nfrom .near import y\n",
    "pkg/inner/near.py": "",
    "space/module.py": "",
    "double.py": "",
    "double/__init__.py": "",
    "sql/a.sql": "select 1",
    "sql/b.sql": "select 2",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def source(root: Path, function: str = "steps:work", *patterns: str) -> FunctionSource:
    return SourceIndex(root).sources([(function, patterns)]).of(function)


def test_the_closure_is_what_imports_reach(root: Path) -> None:
    found = dict(source(root).files)
    assert sorted(found) == [
        "helpers.py", "lazily.py", "pkg/__init__.py", "pkg/beside.py", "pkg/inner/__init__.py", "pkg/inner/deep.py",
        "pkg/inner/near.py", "pkg/sibling.py", "steps.py",
    ]  # fmt: skip
    assert found["helpers.py"] == hashlib.sha256(b"import os\n").hexdigest()


def test_only_what_is_reached_changes_the_digest(root: Path) -> None:
    first = source(root)
    (root / "unused.py").write_text("x = 1")
    assert source(root) == first
    (root / "pkg" / "sibling.py").write_text("x = 1")
    assert source(root).digest != first.digest


def test_what_a_function_imports_when_it_runs_is_known(root: Path) -> None:
    assert source(root).preload == ("lazily", "json", "pkg")
    assert source(root, "steps:apart").preload == ("csv",)


def test_a_package_wins_over_a_module_of_its_name_as_in_python(root: Path) -> None:
    assert [name for name, _ in source(root, "double:work").files] == ["double/__init__.py"]
    assert [name for name, _ in source(root, "space.module:work").files] == ["space/module.py"]


def test_named_files_belong_to_the_code(root: Path) -> None:
    plain, more = source(root, "lazily:work"), source(root, "lazily:work", "sql/*.sql")
    assert [name for name, _ in more.files] == ["lazily.py", "sql/a.sql", "sql/b.sql"]
    assert plain.digest != more.digest


@pytest.mark.parametrize("pattern", ["../outside/*", "/etc/passwd", "sql/../../x"])
def test_named_files_may_not_leave_the_project(root: Path, pattern: str) -> None:
    with pytest.raises(ProjectError, match="leaves the project"):
        source(root, "lazily:work", pattern)


def test_a_pattern_that_matches_nothing_is_a_mistake(root: Path) -> None:
    with pytest.raises(ProjectError, match="matches nothing"):
        source(root, "lazily:work", "sql/*.txt")


def test_a_function_from_elsewhere_cannot_travel(root: Path) -> None:
    with pytest.raises(ProjectError, match="'json' of step function"):
        source(root, "json:dumps")


def test_a_file_that_is_not_python_is_named_with_its_line(root: Path) -> None:
    (root / "helpers.py").write_text("x = 1\ny = (\n")
    with pytest.raises(ProjectError) as caught:
        source(root)
    assert caught.value.where == f"{root / 'helpers.py'}:2"


def test_circles_of_imports_end(root: Path) -> None:
    (root / "lazily.py").write_text("import steps")
    assert "lazily.py" in dict(source(root).files)


def test_the_lock_file_is_told_apart(root: Path) -> None:
    empty = SourceIndex(root).sources([]).lock
    (root / "requirements.txt").write_text("polars==1.0\n")
    one = SourceIndex(root).sources([]).lock
    (root / "requirements.txt").write_text("polars==1.1\n")
    assert len({empty, one, SourceIndex(root).sources([]).lock}) == 3
