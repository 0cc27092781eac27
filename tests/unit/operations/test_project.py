"""cloudml.toml: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudml.errors import NotFound, ProjectError
from cloudml.operations.project import Project, load_project
from cloudml.operations.run import run

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


def test_the_code_may_lie_below_the_project(tmp_path: Path) -> None:
    """A src layout: modules from `source`, paths from the project's folder, one lock file for both."""
    (tmp_path / "cloudml.toml").write_text(
        '[project]\nname = "below"\nsource = "src"\npipeline = "below_package.pipeline:below"\n'
    )
    package = tmp_path / "src" / "below_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pipeline.py").write_text(
        "import cloudml as ml\n"
        "from pathlib import Path\n"
        "@ml.processing\n"
        "def read(path: Path) -> str:\n"
        "    return path.read_text()\n"
        "@ml.pipeline\n"
        'def below(path: ml.Param[Path] = Path("data.txt")) -> None:\n'
        "    read(path)\n"
    )
    (tmp_path / "data.txt").write_text("beside the sources")
    project = load_project(package)
    record = run(project, project.target())
    assert record.status == "succeeded", record.reason
    assert record.tasks[0].values == {"output": "beside the sources"}


@pytest.mark.parametrize("source", ['"nowhere"', '".."', "3"])
def test_a_source_folder_that_is_none_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "cloudml.toml").write_text(f'[project]\nname = "x"\nsource = {source}\npipeline = "x:y"\n')
    with pytest.raises(ProjectError, match=r"project\.source"):
        load_project(tmp_path)
