"""cloudml.toml: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudml.errors import NotFound, ProjectError
from cloudml.operations.project import Project, load_project

GOOD = """
[project]
name = "churn"
pipeline = "churn.pipeline:churn"

[targets.local]
backend = "local"
parallel = 2

[targets.cloud]
backend = "sagemaker"
"""


def load(folder: Path, text: str) -> Project:
    (folder / "cloudml.toml").write_text(text)
    return load_project(folder)


def test_a_project_is_found_from_below(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    (tmp_path / "a" / "b").mkdir(parents=True)
    project = load_project(tmp_path / "a" / "b")
    assert (project.name, project.root, dict(project.pipelines)) == (
        "churn",
        tmp_path.resolve(),
        {"churn": "churn.pipeline:churn"},
    )
    assert project.pipeline() == "churn"


def test_no_project_says_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert "cloudml init" in caught.value.hint


def test_targets_are_chosen_by_name_or_backend(tmp_path: Path) -> None:
    project = load(tmp_path, GOOD)
    assert project.target().name == "local"
    assert project.target(backend="sagemaker").name == "cloud"
    assert dict(project.target("local").settings) == {"parallel": 2}
    assert (project.target(backend="vertex").name, project.target(backend="vertex").backend) == ("vertex", "vertex")
    with pytest.raises(NotFound, match="nowhere"):
        project.target("nowhere")
    with pytest.raises(ProjectError, match="is of backend"):
        project.target("local", "sagemaker")


def test_several_pipelines_must_be_named(tmp_path: Path) -> None:
    project = load(tmp_path, '[project]\nname = "p"\n[project.pipelines]\na = "m:a"\nb = "spec.yaml"\n')
    assert project.pipeline("b") == "b"
    with pytest.raises(NotFound, match="several"):
        project.pipeline()
    with pytest.raises(NotFound, match="no pipeline 'c'"):
        project.pipeline("c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml [", "not valid TOML"),
        ("", "no \\[project\\] section"),
        ('[project]\npipeline = "m:a"', "project.name is None"),
        ('[project]\nname = "../up"\npipeline = "m:a"', "project.name is '../up'"),
        ('[project]\nname = "p"', "no pipeline is named"),
        ('[project]\nname = "p"\npipeline = "m"', "pipeline m is 'm'"),
        ('[project]\nname = "p"\npipeline = "m:a"\ncolour = 1', "unknown: colour"),
        ('[project]\nname = "p"\npipeline = "m:a"\n[colours]', "unknown: colours"),
        ('[project]\nname = "p"\npipeline = "m:a"\n[targets.x]', "a plain name and a backend"),
        ('targets = 1\n[project]\nname = "p"\npipeline = "m:a"', "targets are sections"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        load(tmp_path, text)
