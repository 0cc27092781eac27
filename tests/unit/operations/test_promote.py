"""A model version from one target into another, and an endpoint back to what it served: real model, real endpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cloudml.backend.port import Target
from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml.operations.project import Project, load_project
from cloudml.operations.promote import promote_into
from cloudml.operations.run import run
from cloudml.operations.session import open_session

SOURCE = """
import json

import cloudml as ml

@ml.training
def fit(slope: int, model: ml.Out[ml.Model]) -> None:
    model.path.write_text(json.dumps({"slope": slope}))

def predict(model, rows):
    return [model["slope"] * row["x"] for row in rows.to_dicts()]

@ml.pipeline
def promoted(slope: ml.Param[int] = 2) -> None:
    made = fit(slope)
    ml.register(made.model, "line", predictor=predict, sample=None, approval="APPROVAL")
"""

TARGETS = """
[project]
name = "promoted"
pipeline = "MODULE:promoted"
[targets.dev]
backend = "local"
state = "dev"
[targets.prod]
backend = "local"
state = "prod"
[targets.cloud]
backend = "other"
"""


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    name = f"promoted_{abs(hash(request.node.nodeid)) % 10**9}"
    approval = "pending" if "pending" in request.node.name else "approved"
    (tmp_path / f"{name}.py").write_text(SOURCE.replace("APPROVAL", approval))
    (tmp_path / "cloudml.toml").write_text(TARGETS.replace("MODULE", name))
    return load_project(tmp_path)


def targets(project: Project) -> tuple[Target, Target]:
    return project.target("dev"), project.target("prod")


def test_a_version_is_adopted_once_by_its_digest(project: Project) -> None:
    dev, prod = targets(project)
    assert run(project, dev).status == "succeeded"
    first = promote_into(dev, prod, "line", "1", "champion", "eva", "a good week")
    again = promote_into(dev, prod, "line", "1", "champion", "eva", "a good week")
    with open_session(prod) as session:
        [there] = session.models.list()
    assert there == again.adopted
    assert (there.digest, there.aliases, there.approval) == (first.source.digest, ("champion",), "approved")
    assert (there.run, there.step, there.data, there.parameters) == ("promoted-1", "fit", {}, {"slope": 2})
    assert [one["action"] for one in there.decisions] == ["adopted from line/1 of promoted-1", "promoted to champion"]
    assert Path(there.path).read_bytes() == Path(first.source.path).read_bytes()


def test_a_pending_version_stays(project: Project) -> None:
    dev, prod = targets(project)
    run(project, dev)
    with pytest.raises(Refused, match="line/1 is pending"):
        promote_into(dev, prod, "line", "1", None, "eva", "early")
    (project.root / "version").mkdir()
    with open_session(dev) as session:
        session.models.export("line", 1, project.root / "version")
    with open_session(prod) as session:
        with pytest.raises(Refused, match="pending where it comes from"):
            session.models.adopt(project.root / "version", "eva", "x")
        assert session.models.list() == []


def test_targets_that_make_no_sense_are_refused(project: Project) -> None:
    dev, prod = targets(project)
    with pytest.raises(Refused, match="already"):
        promote_into(dev, dev, "line", "1", None, "eva", "x")
    with pytest.raises(Refused, match="of one backend"):
        promote_into(dev, project.target("cloud"), "line", "1", None, "eva", "x")
    with pytest.raises(NotFound):
        promote_into(dev, prod, "line", "1", None, "eva", "x")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("artifact", CorruptArtifact),
        ("link", CorruptArtifact),
        ("code", Refused),
        ("name", Refused),
        ("code name", Refused),
        ("manifest", Refused),
        ("nothing", Refused),
    ],
)
def test_a_folder_that_was_tampered_with_is_not_adopted(
    project: Project, tmp_path: Path, damage: str, error: type[Exception]
) -> None:
    dev, prod = targets(project)
    run(project, dev)
    folder = tmp_path / "version"
    folder.mkdir()
    with open_session(dev) as session:
        session.models.export("line", 1, folder)
    _damage(folder, damage)
    with open_session(prod) as session:
        with pytest.raises(error):
            session.models.adopt(folder, "eva", "x")
        assert session.models.list() == []
    objects = [path for path in (project.root / "prod" / "objects").rglob("*") if path.is_file()]
    assert all(damage.startswith(("code", "nothing")) for _ in objects), "nothing enters under a digest not its own"


def _damage(folder: Path, what: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    [artifact] = (folder / "artifact").iterdir()
    if what == "artifact":
        artifact.write_bytes(b"other")
    elif what == "link":
        artifact.unlink()
        artifact.symlink_to("/etc/hostname")
    elif what == "code":
        next((folder / "code").rglob("*.py")).write_text("import os")
    elif what == "nothing":
        shutil.rmtree(folder)
        return
    elif what == "name":
        manifest["body"]["filename"] = "../../outside"
    elif what == "code name":
        manifest["code"] = {"../../outside.py": "0" * 64}
    elif what == "manifest":
        del manifest["body"]["digest"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_output_is_fetched_once_and_never_over_something_else(project: Project, tmp_path: Path) -> None:
    dev, _ = targets(project)
    record = run(project, dev)
    task = record.task("fit")
    assert task is not None
    [output] = task.outputs
    with open_session(dev) as session:
        path = session.runs.fetch("last", "fit", output.name, tmp_path / "here")
        assert path.parent == tmp_path / "here"
        assert json.loads(path.read_text()) == {"slope": 2}
        assert session.runs.fetch("last", "fit", output.name, tmp_path / "here") == path
        path.write_text("mine")
        with pytest.raises(Refused):
            session.runs.fetch("last", "fit", output.name, tmp_path / "here")
        with pytest.raises(NotFound, match="no output 'other'"):
            session.runs.fetch("last", "fit", "other", tmp_path / "here")
        with pytest.raises(NotFound):
            session.runs.fetch("last", "nothing", "output", tmp_path)
        Path(output.path).chmod(0o644)
        Path(output.path).write_text("damaged")
        with pytest.raises(CorruptArtifact):
            session.runs.fetch("last", "fit", output.name, tmp_path / "there")
    assert path.read_text() == "mine"
    assert not (tmp_path / "there").exists() or not list((tmp_path / "there").iterdir())
