"""One setting in cloudml.toml: written, and nothing else changed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cloudml.errors import ProjectError
from cloudml.operations.project import load_project
from cloudml.operations.settings import edited, write_setting

HEAD = '[project]\nname = "p"\npipeline = "p:p"\n'


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ('[targets.a]\nbackend = "x"\n', '[targets.a]\nimage = "i"\nbackend = "x"\n'),
        (
            '[targets.a]\nimage = "old"\nbackend = "x"\n[targets.b]\n',
            '[targets.a]\nimage = "i"\nbackend = "x"\n[targets.b]\n',
        ),
        (
            '[targets.b]\nimage = "keep"\n\n[targets.a] # here\n',
            '[targets.b]\nimage = "keep"\n\n[targets.a] # here\nimage = "i"\n',
        ),
        ('[targets.a]\nserving_image = "keep"\n', '[targets.a]\nimage = "i"\nserving_image = "keep"\n'),
        (
            '[targets."a"]\n[targets.a.tags]\nimage = "a tag"\n',
            '[targets."a"]\nimage = "i"\n[targets.a.tags]\nimage = "a tag"\n',
        ),
        ("[targets.a]", '[targets.a]\nimage = "i"\n'),
        ("[targets.b]\n", None),
        ('targets = { a = { backend = "x" } }\n', None),
    ],
)
def test_edited(before: str, expected: str | None) -> None:
    assert edited(before, "a", "image", "i") == expected


def test_written_with_all_else_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "cloudml.toml"
    file.write_text(f'{HEAD}\n[targets.a]\nbackend = "x" # why\n')
    write_setting(load_project(tmp_path), "a", "image", 'i"ü')
    text = file.read_text(encoding="utf-8")
    assert tomllib.loads(text)["targets"]["a"] == {"backend": "x", "image": 'i"ü'}
    assert "# why" in text
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "section",
    [
        'targets = { a = { backend = "x" } }\n',
        '[targets.a]\nbackend = "x"\nimage = """\nlong\n"""\n',
        '[targets]\na.backend = "x"\n',
    ],
)
def test_what_is_not_certain_is_left_to_a_person(tmp_path: Path, section: str) -> None:
    file = tmp_path / "cloudml.toml"
    text = f"{section}{HEAD}" if section.startswith("targets =") else f"{HEAD}{section}"
    file.write_text(text)
    with pytest.raises(ProjectError) as refused:
        write_setting(load_project(tmp_path), "a", "image", "i")
    assert refused.value.code == "CML546"
    assert 'image = "i"' in refused.value.hint
    assert file.read_text() == text
