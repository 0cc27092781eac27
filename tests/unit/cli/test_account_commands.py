"""`doctor`, `permissions`, `build`: what they print, their exit codes, and the backend's part played."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_world import Invoke

from cloudml.backend.image import ImagePlan
from cloudml.backend.port import Backend
from cloudml.backend.records import Finding, Policy
from cloudml.discovery import load_backend
from cloudml.operations import account, image

STEPS = """\
import cloudml as ml

@ml.processing
def one() -> int:
    return 1

@ml.pipeline
def flow() -> None:
    one()
"""
TOML = '[project]\nname = "flow"\npipeline = "flow_steps:flow"\n\n[targets.here]\nbackend = "local"\n'

POLICY = Policy("flow-deployer", "whoever deploys", {"Statement": [{"Sid": "A"}]}, "cloud attach flow-deployer")
FOUND = [
    Finding("bucket", "missing", "there is no bucket", "cloud make-bucket x"),
    Finding("role", "unknown", "may not be looked at"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flow_steps.py").write_text(STEPS)
    (tmp_path / "cloudml.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def backend(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(**parts: Any) -> None:
        def load(name: str) -> Backend:
            return replace(load_backend(name), **parts)

        monkeypatch.setattr(account, "load_backend", load)
        monkeypatch.setattr(image, "load_backend", load)

    return use


def test_doctor_tells_what_is_missing(cloudml: Invoke, backend: Callable[..., None]) -> None:
    backend(doctor=lambda target, resources: iter(FOUND))
    result = cloudml("doctor")
    assert result.code == 1
    assert "there is no bucket" in result.out
    assert "cloud make-bucket x" in result.out
    assert result.out.rstrip().endswith("1 missing")


def test_doctor_as_json(cloudml: Invoke, backend: Callable[..., None]) -> None:
    backend(doctor=lambda target, resources: iter(FOUND[1:]))
    result = cloudml("doctor", "--output", "json")
    document = json.loads(result.out)
    assert (result.code, document["ok"]) == (0, True)
    assert [one["check"] for one in document["findings"]] == ["cloudml", "pipeline flow", "role"]


def test_doctor_of_a_backend_that_raises(cloudml: Invoke, backend: Callable[..., None]) -> None:
    from cloudml.errors import BackendError

    def broken(target: object, resources: object) -> object:
        raise BackendError("nothing answers", hint="look at the cable")

    backend(doctor=broken)
    result = cloudml("doctor")
    assert result.code == 0
    assert "nothing answers" in result.out
    assert "look at the cable" in result.out


def test_doctor_of_a_broken_pipeline(cloudml: Invoke, project: Path) -> None:
    (project / "flow_steps.py").write_text("import nowhere_to_be_found\n")
    result = cloudml("doctor")
    assert result.code == 1
    assert "CML404" in result.out
    assert "pipeline flow" in result.out


def test_permissions_are_printed_and_written(cloudml: Invoke, backend: Callable[..., None], project: Path) -> None:
    seen: list[int] = []

    def derive(target: object, resources: list[object]) -> tuple[Policy, ...]:
        seen.append(len(resources))
        return (POLICY,)

    backend(permissions=derive)
    result = cloudml("permissions")
    assert result.code == 0
    assert '"Sid": "A"' in result.out
    assert "cloud attach flow-deployer" in result.out
    result = cloudml("permissions", "--to", "policies", "--output", "json")
    assert json.loads(result.out)["policies"][0]["name"] == "flow-deployer"
    assert json.loads((project / "policies" / "flow-deployer.json").read_text()) == POLICY.document
    assert all(seen), "what the project compiles to is given to the backend"


def test_permissions_where_there_are_no_identities(cloudml: Invoke, project: Path) -> None:
    result = cloudml("permissions")
    assert result.code == 0
    assert "nothing to permit" in result.out


class Printed:
    def plan(self, target: object, base: str | None = None, *, serving: bool = False) -> ImagePlan:
        return ImagePlan("host/repo", "tag", base or "base", f"FROM {base or 'base'}\n", {"requirements.txt": b""})


def test_build_prints_the_dockerfile(cloudml: Invoke, backend: Callable[..., None]) -> None:
    backend(image=Printed())
    assert cloudml("build", "--print", "--base", "mine:1").out == "FROM mine:1\n"
    document = json.loads(cloudml("build", "--print", "--output", "json").out)
    assert document["image"] == "host/repo:tag"
    assert document["files"] == ["requirements.txt"]


def test_build_on_a_backend_without_containers(cloudml: Invoke, project: Path) -> None:
    result = cloudml("build", "--print")
    assert result.code == 3
    assert "CML545" in result.err


def test_write_goes_with_push(cloudml: Invoke, backend: Callable[..., None]) -> None:
    backend(image=Printed())
    result = cloudml("build", "--write")
    assert result.code == 64
    assert "--push" in result.err
