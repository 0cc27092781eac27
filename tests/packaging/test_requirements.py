"""requirements/*.txt: pinned, hashed, complete, and free of any place to download from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAMES = ("core", "local", "sagemaker", "mock", "mock-vertex", "dev")
PYTHONS = ("3.11", "3.12", "3.13")


def read_pins(path: Path) -> list[tuple[Requirement, int]]:
    """Each requirement of the file with the number of its hashes."""
    found: list[tuple[Requirement, int]] = []
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        text, *hashes = re.split(r"\s+--hash=sha256:(?=[0-9a-f]{64}\b)", line)
        found.append((Requirement(text), len(hashes)))
    return found


def pins_for(path: Path, python: str) -> dict[str, str]:
    """Name and version of what the file installs on Linux with that Python."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
    }
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin, _ in read_pins(path)
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def wanted(project: dict[str, Any], name: str) -> list[Requirement]:
    """What pyproject.toml asks for in the environment of that name."""
    groups: dict[str, list[Any]] = project["dependency-groups"]
    texts = [*project["project"]["dependencies"], *groups["build"]]
    for extra in ("local", "sagemaker", "mock", "mock-vertex"):
        if name in {extra, "dev"}:
            texts += project["project"]["optional-dependencies"][extra]
    if name == "dev":
        texts += [text for text in groups["dev"] if isinstance(text, str)]
    return [Requirement(text) for text in texts]


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_an_exact_version_with_hashes(name: str, repository: Path) -> None:
    pins = read_pins(repository / "requirements" / f"{name}.txt")
    assert len(pins) > len(NAMES)
    for pin, hashes in pins:
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), f"{pin} is not pinned"
        assert hashes > 0, f"{pin} has no hash"
        assert pin.url is None


@pytest.mark.parametrize("name", NAMES)
def test_no_place_to_download_from_is_named(name: str, repository: Path) -> None:
    text = (repository / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|-r|-e|--(?!hash=))", text, re.MULTILINE), "an option line: index, links, file"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_pins_satisfy_the_project(name: str, python: str, repository: Path, project: dict[str, Any]) -> None:
    pins = pins_for(repository / "requirements" / f"{name}.txt", python)
    for requirement in wanted(project, name):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not pinned: run requirements/refresh"
        assert requirement.specifier.contains(version), f"{version} is not {requirement}: run requirements/refresh"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_environments_are_nested(python: str, repository: Path) -> None:
    """What is tested (dev) is what users install (core, and each extra)."""
    core, *extras, dev = (pins_for(repository / "requirements" / f"{name}.txt", python).items() for name in NAMES)
    for extra in extras:
        assert core <= extra <= dev


def test_the_cores_own_dependencies_stay_few(project: dict[str, Any]) -> None:
    names = {Requirement(text).name for text in project["project"]["dependencies"]}
    assert names <= {"click", "pydantic", "pyyaml", "rich", "tenacity"}


def test_the_supported_pythons_are_the_tested_ones(project: dict[str, Any]) -> None:
    versions = [line.rpartition(" ")[2] for line in project["project"]["classifiers"] if "Python :: 3." in line]
    assert tuple(versions) == PYTHONS
    assert project["project"]["requires-python"] == f">={PYTHONS[0]}"
