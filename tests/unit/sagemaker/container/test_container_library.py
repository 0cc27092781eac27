"""What travels to a job: whole in itself, quick to begin with, and right in a Python that did not compile it."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from container_lab import Lab, port

from cloudml_sagemaker import library

PROJECT = {
    "steps.py": """
        import json, sys
        import cloudml as ml

        GUARD = ml.guard("error_rate", above=0.5)
        SERVICE = ml.Endpoint("churn", rollout=ml.canary([10, 100], bake="1m", guards=[GUARD]))
        TEAM = ml.slack("team", ml.secret("URL"))

        @ml.processing(cpu=2, retries=ml.retry(2), cache="1d")
        def loaded(count: int) -> list:
            return sorted({name.partition(".")[0] for name in sys.modules})

        @ml.processing
        def looks() -> list:
            return [SERVICE.name, [step.weight for step in SERVICE.rollout.steps], TEAM.channel, repr(TEAM == TEAM)]

        @ml.training
        def fit(depth: int) -> int:
            return depth

        @ml.pipeline(name="all", alerts=[TEAM], schedule=ml.cron("0 2 * * *"))
        def everything(count: ml.Param[int] = ml.param(3, minimum=1)):
            loaded(count)
    """
}
HEAVY = {"pydantic", "pydantic_core", "click", "rich", "boto3", "botocore", "polars", "numpy", "optuna", "tenacity"}
ARGUMENTS = {"count": {"literal": 4}}


@pytest.fixture
def job(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ml", PROJECT)


def packed() -> bytes:
    return library.pack({name: path.read_bytes() for name, path in library.files().items()})


def test_the_function_of_a_step_is_called_without_what_only_pipelines_need(job: Lab) -> None:
    step = {"function": "steps:loaded", "arguments": ARGUMENTS, "outputs": [port("output", "list")]}
    done = job.run(step)
    assert done.returncode == 0, done.stderr
    found = set(json.loads((job.outputs / "output" / "output.json").read_text()))
    assert {"cloudml", "steps"} <= found
    assert not found & HEAVY


def test_what_a_module_declares_is_there_for_a_step_that_looks(job: Lab) -> None:
    done = job.run({"function": "steps:looks", "outputs": [port("output", "list")]})
    assert done.returncode == 0, done.stderr
    found = json.loads((job.outputs / "output" / "output.json").read_text())
    assert found == ["churn", [10.0, 100.0], "slack", "True"]


@pytest.mark.parametrize(
    "module",
    [
        *("cloudml.jobs.main", "cloudml.jobs.job", "cloudml.jobs.group", "cloudml.jobs.search", "cloudml.jobs.trials"),
        *("cloudml.jobs.requirements", "cloudml.jobs.control", "cloudml.jobs.control.decide", "cloudml_entry"),
        "cloudml_sagemaker.container.control.verify",
    ],
)
def test_the_modules_of_a_job_import_nothing_heavy(module: str, tmp_path: Path) -> None:
    place = tmp_path / library.ARCHIVE
    place.write_bytes(packed())
    code = f"import sys, {module} as m; print(m.__file__, *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(place)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    file, *modules = done.stdout.split()
    assert file.startswith(str(place)), "out of the archive"
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    assert "cloudml.spec" not in modules


def test_every_module_that_the_library_imports_is_in_it() -> None:
    files = library.files()
    there = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {
                "cloudml",
                "cloudml_sagemaker",
            }:
                wanted = str(node.module)
                if not name.startswith("cloudml_sagemaker/__init__"):
                    assert wanted in there, f"{name} imports {wanted}"


@pytest.mark.parametrize("magic", [b"\x00\x00\r\n", b""])
def test_another_python_reads_the_sources(magic: bytes, tmp_path: Path) -> None:
    """PEP 3147: code that was compiled by another version is not for this one; without it there is the source."""
    place = tmp_path / library.ARCHIVE
    with zipfile.ZipFile(io.BytesIO(packed())) as mine, zipfile.ZipFile(place, "w") as other:
        for name in mine.namelist():
            content = mine.read(name)
            if not name.endswith(".pyc"):
                other.writestr(name, content)
            elif magic:
                other.writestr(name, magic + content[4:])
    code = "import cloudml.runtime.main as m; print(m.run.__code__.co_filename)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(place)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{place}/cloudml/runtime/main.py", "compiled here, from the source in the archive"


def test_the_archive_is_the_same_bytes_each_time() -> None:
    sources = {"a/__init__.py": b"x = 1\n", "b.py": b'"""Words."""\n'}
    first = library.pack(sources)
    library.pack({"c.py": b""})
    assert library.pack(dict(reversed(sources.items()))) == first
