"""Build, validate, fit, compile: once, and again only when something that was read has changed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudml.errors import ProjectError, SpecError, UnsupportedError
from cloudml.operations import prepare as module
from cloudml.operations.check import check
from cloudml.operations.prepare import Prepared, prepare
from cloudml.operations.project import load_project
from cloudml.operations.run import deploy, rerun, resume, run
from cloudml.operations.world import plan

SOURCE = """
import os
from pathlib import Path

import cloudml as ml
from {name}_more import START

BIAS = int(os.environ.get("PREPARE_BIAS", "0"))
LIMIT = int((Path(__file__).parent / "limit.txt").read_text())

@ml.processing(files=("limit.txt",))
def first(value: int) -> int:
    return value + 1

@ml.pipeline
def pipeline(value: ml.Param[int] = START) -> None:
    first(value + BIAS + LIMIT)
"""


class Place:
    """A project; each test has modules of its own names, because they are imported into this process."""

    def __init__(self, root: Path, name: str, source: str) -> None:
        self.root, self.name = root, name
        (root / f"{name}.py").write_text(source.replace("{name}", name))
        (root / f"{name}_more.py").write_text("START = 1\n")
        (root / "limit.txt").write_text("0")
        (root / "cloudml.toml").write_text(f'[project]\nname = "p"\npipeline = "{name}:pipeline"\n')

    def prepare(self) -> Prepared:
        project = load_project(self.root)
        return prepare(project, project.target(), "pipeline")


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Place]:
    number = abs(hash(request.node.name)) % 10**9
    return lambda source: Place(tmp_path, f"prepared_{number}", source)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each time a pipeline was really built."""
    built: list[str] = []
    real = module._prepare

    def counting(*arguments: object) -> object:
        built.append("built")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_prepare", counting)
    return built


def test_an_unchanged_project_is_built_once(place: Callable[[str], Place], counted: list[str]) -> None:
    here = place(SOURCE)
    first, second = here.prepare(), here.prepare()
    assert (first, len(counted)) == (second, 1)
    assert first.resources[0].document["tasks"][0]["id"] == "first"


@pytest.mark.parametrize("what", ["module", "imported", "data", "variable", "settings", "lock"])
def test_whatever_was_read_counts(
    place: Callable[[str], Place], counted: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    here = place(SOURCE)
    here.prepare()
    if what == "variable":
        monkeypatch.setenv("PREPARE_BIAS", "5")
    else:
        name = {
            "module": f"{here.name}.py",
            "imported": f"{here.name}_more.py",
            "data": "limit.txt",
            "settings": "cloudml.toml",
            "lock": "requirements.txt",
        }[what]
        with open(here.root / name, "a") as file:
            file.write("\n")
    here.prepare()
    assert len(counted) == 2
    here.prepare()
    assert len(counted) == 2


def test_a_damaged_kept_build_is_made_anew(place: Callable[[str], Place], counted: list[str]) -> None:
    here = place(SOURCE)
    first = here.prepare()
    [kept] = (here.root / ".cloudml" / "prepared").glob("*.json")
    for text in ("", "[]", "{}", json.dumps({**json.loads(kept.read_text()), "resources": [{}]})):
        kept.write_text(text)
        assert here.prepare() == first
    assert len(counted) == 5


def test_a_kept_build_imports_neither_pydantic_nor_the_users_code(place: Callable[[str], Place]) -> None:
    here = place(SOURCE)
    here.prepare()
    script = f"""
import sys
from pathlib import Path
from cloudml.operations.prepare import prepare
from cloudml.operations.project import load_project
project = load_project(Path({str(here.root)!r}))
prepare(project, project.target(), "pipeline")
print([name for name in ("pydantic", "{here.name}", "yaml", "numpy", "polars") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_backend_lacks_is_refused_before_anything_runs(place: Callable[[str], Place]) -> None:
    here = place(SOURCE.replace("@ml.processing(", '@ml.processing(gpu=1, image="registry.example/x:1", '))
    with pytest.raises(UnsupportedError) as caught:
        here.prepare()
    told = " ".join(str(gap) for gap in caught.value.diagnostics)
    assert "gpu" in told and "image" in told
    project = load_project(here.root)
    checked = check(project, project.target(), "pipeline")
    assert not checked.ok
    assert sorted(one.code for one in checked.diagnostics) == ["CML301", "CML301"]


def test_check_tells_what_only_the_backend_s_compiler_finds(place: Callable[[str], Place]) -> None:
    """A setting of the target that is wrong, before a deploy meets it."""
    here = place(SOURCE)
    with open(here.root / "cloudml.toml", "a") as file:
        file.write('[targets.aws]\nbackend = "sagemaker"\nregion = "eu-west-1"\nbucket = "b-b"\nrole = "nobody"\n')
    project = load_project(here.root)
    told = [one for one in check(project, project.target("aws"), "pipeline").diagnostics if one.severity == "error"]
    assert [(one.code, "role" in one.message) for one in told] == [("CML330", True)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("1 / 0", "ZeroDivisionError"),
        ("pipeline = 7", "is not a pipeline"),
        ("x = (", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_built_is_named(place: Callable[[str], Place], source: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        place(source).prepare()


def test_run_deploy_resume_rerun_and_plan_work_together(place: Callable[[str], Place]) -> None:
    here = place(SOURCE)
    project = load_project(here.root)
    target = project.target()
    assert [change.action for change in plan(project, target, "pipeline").plan.changes] == ["create"]
    deployed = deploy(project, target, "pipeline", {"value": 4})
    assert deployed.run is not None
    assert (deployed.run.status, deployed.run.tasks[0].values) == ("succeeded", {"output": 5})
    assert not plan(project, target, "pipeline").plan.has_changes
    again = rerun(project, target, deployed.run.id)
    assert (again.parameters, again.tasks[0].status) == ({"value": 4}, "cached")
    assert resume(project, target, "last").id == again.id
    with pytest.raises(SpecError):
        run(project, target, "pipeline", {"nothing": 1})
