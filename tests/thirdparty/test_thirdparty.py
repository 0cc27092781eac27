"""Backends and codecs of other distributions: found by entry point, used like our own; a broken one hides nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

TOY = Path(__file__).parent / "toy"

PROJECT = """[project]
name = "signals"
pipeline = "steps:signals"

[targets.toy]
backend = "toy"
"""

STEPS = """from __future__ import annotations

import cloudml as ml
from cloudml_toy.signal import Signal


@ml.processing
def record(count: int) -> Signal:
    return Signal(range(count))


@ml.processing
def loudest(signal: Signal) -> dict[str, int]:
    return {"loudest": max(signal.samples)}


@ml.pipeline
def signals(count: ml.Param[int] = 8) -> None:
    loudest(record(count))
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def install(site: Path, source: Path) -> None:
    """What pip leaves of a distribution: its packages, and the metadata that names its entry points."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    sections = (
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in points.items()), ""])
        for group, points in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text("\n".join(sections))
    for package in source.iterdir():
        if package.is_dir() and (package / "__init__.py").is_file():
            (site / package.name).symlink_to(package)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed distributions with the toy in it."""
    folder = tmp_path / "site"
    install(folder, TOY)
    return folder


@pytest.fixture
def run(tmp_path: Path, site: Path, plain_environment: dict[str, str]) -> Run:
    """Run cloudml in a project that uses the toy's types."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "cloudml.toml").write_text(PROJECT)
    (project / "steps.py").write_text(STEPS)
    environment = {**plain_environment, "PYTHONPATH": os.pathsep.join([str(site)])}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cloudml", *arguments]
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return call


def listed(run: Run) -> dict[str, dict[str, object]]:
    done = run("backends", "--output", "json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["backends"]}


def test_the_backend_is_found(run: Run) -> None:
    toy = listed(run)["toy"]
    assert toy["installed"] is True
    assert toy["distribution"] == "cloudml-toy"


@pytest.mark.parametrize("backend", ["toy", "local"])
def test_the_same_pipeline_runs_on_both_with_a_foreign_type(backend: str, run: Run) -> None:
    done = run("run", "--backend", backend, "-p", "count=5", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = {task["id"]: task for task in json.loads(done.stdout)["run"]["tasks"]}
    assert {name: task["status"] for name, task in tasks.items()} == {"record": "succeeded", "loudest": "succeeded"}
    assert tasks["loudest"]["values"]["output"] == {"loudest": 4}


def test_its_runs_are_shown_and_what_it_cannot_do_is_said(run: Run) -> None:
    assert run("run", "--backend", "toy").returncode == 0
    assert "signals-1" in run("runs", "--backend", "toy").stdout
    assert "record" in run("show", "--backend", "toy").stdout
    refused = run("resume", "--backend", "toy")
    assert refused.returncode == 3
    assert "cannot resume" in refused.stdout + refused.stderr


def test_a_failure_is_a_record(run: Run) -> None:
    done = run("run", "--backend", "toy", "-p", "count=300", "--output", "json")
    assert done.returncode == 1
    record = json.loads(done.stdout)["run"]
    assert record["status"] == "failed"
    assert [task["status"] for task in record["tasks"]] == ["failed", "skipped"]


def test_what_a_pipeline_needs_and_the_backend_lacks_is_refused_all_at_once(run: Run, tmp_path: Path) -> None:
    steps = tmp_path / "project" / "steps.py"
    steps.write_text(STEPS.replace("@ml.processing\ndef record", "@ml.processing(retries=2, timeout='1m')\ndef record"))
    done = run("check", "--backend", "toy")
    assert done.returncode == 1
    assert "a toy gives up at once" in done.stdout
    assert "timeout" in done.stdout
    assert run("check", "--backend", "local").returncode == 0


def broken(site: Path, name: str, module: str) -> None:
    """Another distribution, whose backend cannot be loaded."""
    (site / f"{name}.py").write_text(module)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = f"[cloudml.backends]\n{name} = {name}:backend\n\n[cloudml.codecs]\n{name} = {name}:CODEC\n"
    (info / "entry_points.txt").write_text(points)


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("raise RuntimeError('out of order')\n", "out of order"),
        ("import a_package_that_is_not_there\n", "a_package_that_is_not_there"),
        ("backend = 'not a backend'\n", "str"),
        ("", "backend"),
    ],
    ids=["raises", "lacks a package", "another type", "no such name"],
)
def test_a_broken_plug_in_is_listed_and_hides_nothing(module: str, told: str, run: Run, site: Path) -> None:
    broken(site, "bad", module)
    found = listed(run)
    assert found["bad"]["installed"] is False
    assert told in str(found["bad"]["error"])
    assert found["local"]["installed"] is True
    assert found["toy"]["installed"] is True
    assert run("run", "--backend", "toy").returncode == 0
    used = run("run", "--backend", "bad")
    assert used.returncode == 4, used.stdout + used.stderr
    assert told in used.stdout + used.stderr


def test_an_unknown_backend_names_the_installed_ones(run: Run) -> None:
    done = run("check", "--backend", "toi")
    assert done.returncode != 0
    assert "toy" in done.stdout + done.stderr
