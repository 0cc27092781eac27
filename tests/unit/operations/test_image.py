"""Building an image with an engine that is played by a small program on PATH."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudml.backend.image import ImagePlan, Login
from cloudml.backend.port import Target
from cloudml.errors import BackendError, CloudmlError, Refused
from cloudml.operations import image
from cloudml.operations.project import Project, load_project

ENGINE = """\
#!{python}
import json, os, sys
words = sys.argv[1:]
given = sys.stdin.read() if "--password-stdin" in words else ""
seen = {{}}
if "-f" in words:
    folder = words[-1]
    seen = {{name: open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder))}}
with open({log!r}, "a") as file:
    file.write(json.dumps({{"words": words, "given": given, "seen": seen}}) + "\\n")
print("the engine says", words[0])
sys.exit({fails!r}.get(words[0], 0))
"""

TOML = """\
[project]
name = "churn"
pipeline = "churn:churn"

[targets.cloud] # where it runs
backend = "toy"  # a comment
region = "x"
"""


@dataclass
class FakeImages:
    pushed: str | None = None
    steps: list[str] = field(default_factory=list)

    def plan(self, target: Target, base: str | None = None, *, serving: bool = False) -> ImagePlan:
        chosen = base or "base:1"
        return ImagePlan("host/repo", "tag", chosen, f"FROM {chosen}\n", {"requirements.txt": b"polars\n"})

    def resolve(self, target: Target, base: str) -> str:
        return "base@sha256:01"

    def find(self, target: Target, plan: ImagePlan) -> str | None:
        self.steps.append("find")
        return self.pushed if self.pushed or len(self.steps) < 3 else "host/repo@sha256:02"

    def prepare(self, target: Target, plan: ImagePlan) -> None:
        self.steps.append("prepare")

    def logins(self, target: Target, plan: ImagePlan) -> tuple[Login, ...]:
        return (Login("host", "AWS", "s3cr3t"),)


@dataclass
class Bench:
    project: Project
    images: FakeImages
    log: Path

    @property
    def target(self) -> Target:
        return self.project.target("cloud")

    def engine(self, name: str = "docker", **fails: int) -> None:
        program = self.log.parent / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(ENGINE.format(python=sys.executable, log=str(self.log), fails=fails))
        program.chmod(0o755)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "cloudml.toml").write_text(TOML)
    images = FakeImages()
    monkeypatch.setattr(image, "load_backend", lambda name: SimpleNamespace(name=name, image=images))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Bench(load_project(tmp_path / "project"), images, tmp_path / "log")


def test_build_alone_needs_no_registry(bench: Bench) -> None:
    bench.engine()
    made = image.build(bench.project, bench.target)
    assert (made.image, made.engine, bench.images.steps) == ("", "docker", [])
    _, build = bench.calls
    assert build["words"][:4] == ["buildx", "build", "--provenance=false", "--output=type=docker"]
    assert build["seen"] == {"Dockerfile": "FROM base:1\n", "requirements.txt": "polars\n"}
    assert build["words"][build["words"].index("-t") + 1] == "host/repo:tag"
    assert build["words"][build["words"].index("--platform") + 1] == "linux/amd64"


def test_push_pins_the_base_signs_in_and_tells_the_digest(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.engine()
    made = image.build(bench.project, bench.target, push=True, write=True)
    assert made.image == "host/repo@sha256:02"
    assert [call["words"][0] for call in bench.calls] == ["version", "login", "buildx", "push"]
    login, build, push = bench.calls[1:]
    assert login["given"] == "s3cr3t"
    assert all("s3cr3t" not in word for call in bench.calls for word in call["words"])
    assert build["seen"]["Dockerfile"] == "FROM base@sha256:01\n"
    assert push["words"] == ["push", "host/repo:tag"]
    captured = capfd.readouterr()
    assert captured.out == "", "stdout is for the result"
    assert "the engine says push" in captured.err
    written = (bench.project.root / "cloudml.toml").read_text()
    assert tomllib.loads(written)["targets"]["cloud"]["image"] == made.image
    assert "# where it runs" in written


def test_the_same_content_is_not_pushed_twice(bench: Bench) -> None:
    bench.images.pushed = "host/repo@sha256:03"
    made = image.build(bench.project, bench.target, push=True)
    assert (made.image, made.reused, made.engine) == ("host/repo@sha256:03", True, "")
    assert not bench.log.exists(), "no engine was needed"


def test_podman_makes_dockers_format(bench: Bench) -> None:
    bench.engine("podman")
    image.build(bench.project, bench.target)
    assert bench.calls[1]["words"][:2] == ["build", "--format=docker"]


def test_without_an_engine(bench: Bench) -> None:
    with pytest.raises(BackendError, match="no container engine") as refused:
        image.build(bench.project, bench.target)
    assert refused.value.code == "CML544"
    assert "Stock images need no build" in refused.value.hint


def test_an_engine_that_does_not_answer(bench: Bench) -> None:
    bench.engine(version=1)
    with pytest.raises(BackendError, match="docker is installed, and does not answer: the engine says version"):
        image.build(bench.project, bench.target)


@pytest.mark.parametrize("step", ["login", "buildx", "push"])
def test_an_engine_that_fails(bench: Bench, step: str) -> None:
    bench.engine(**{step: 7})
    with pytest.raises(CloudmlError, match="ended with 7") as failed:
        image.build(bench.project, bench.target, push=True, write=True)
    assert failed.value.code == "CML545"
    assert failed.value.hint == f"the engine says {step}"
    assert "s3cr3t" not in str(failed.value)
    assert (bench.project.root / "cloudml.toml").read_text() == TOML


def test_a_file_outside_of_the_folder_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.engine()
    monkeypatch.setattr(
        FakeImages, "plan", lambda *_, **__: ImagePlan("host/repo", "tag", "b", "FROM b\n", {"../escape": b""})
    )
    with pytest.raises(Refused, match="outside"):
        image.build(bench.project, bench.target)


def test_a_backend_without_containers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "load_backend", lambda name: SimpleNamespace(name=name, image=None))
    with pytest.raises(Refused, match="runs no containers"):
        image.show(bench.target)
    assert os.environ["PATH"].endswith("bin")
