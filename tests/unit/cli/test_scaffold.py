"""`cloudml.operations.scaffold`: all of a template, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudml.errors import NotFound, ProjectError
from cloudml.operations import scaffold


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of templates of its own."""
    root = tmp_path / "packages" / "cloudml_templates"
    small = root / "small"
    (small / "src" / "__pycache__").mkdir(parents=True)
    (small / "cloudml.toml").write_text('[project]\nname = "small"\n')
    (small / "README.md").write_text("# Small\n\nThe smallest project.\nMore.\n")
    (small / "src" / "a.py").write_text("x = 1\n")
    (small / "src" / "__pycache__" / "a.pyc").write_bytes(b"")
    (root / "no_template").mkdir()
    monkeypatch.setattr(scaffold, "_roots", lambda: [root])
    return small


def test_templates_are_directories_with_a_project_file(template: Path) -> None:
    assert [(found.name, found.description) for found in scaffold.templates()] == [("small", "The smallest project.")]


def test_the_copy_is_whole_and_clean(template: Path, tmp_path: Path) -> None:
    made = scaffold.init("small", tmp_path / "new place" / "prjekt-č")
    assert made.files == ("README.md", "cloudml.toml", "src/a.py")
    assert (made.directory / "src" / "a.py").read_text() == "x = 1\n"
    assert os.listdir(made.directory.parent) == ["prjekt-č"], "nothing else is left behind"


def test_an_empty_directory_is_used(template: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert scaffold.init("small", tmp_path / "empty").files


@pytest.mark.parametrize("used", ["file", "directory", "link", "dangling"])
def test_what_is_there_is_not_touched(template: Path, tmp_path: Path, used: str) -> None:
    place = tmp_path / "used"
    if used == "file":
        place.write_text("mine")
    elif used == "directory":
        place.mkdir()
        (place / "mine").write_text("mine")
    else:
        target = tmp_path / "elsewhere"
        if used == "link":
            target.mkdir()
        place.symlink_to(target)
    with pytest.raises(ProjectError) as refused:
        scaffold.init("small", place)
    assert refused.value.code == "CML421"
    assert refused.value.where == str(place)


def test_a_failure_leaves_nothing(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: Path, **more: object) -> None:
        target.mkdir()
        (target / "half").write_text("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", full)
    (tmp_path / "parent").mkdir()
    with pytest.raises(ProjectError, match="No space left"):
        scaffold.init("small", tmp_path / "parent" / "new")
    assert list((tmp_path / "parent").iterdir()) == []


@pytest.mark.parametrize("name", ["other", "../small", "small/src", "", "."])
def test_only_known_names(template: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound) as refused:
        scaffold.init(name, tmp_path / "new")
    assert "small" in refused.value.hint
    assert not (tmp_path / "new").exists()
