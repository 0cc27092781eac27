"""Python packages from Cloud Storage: `python -m module` with the unpacked package on its path."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest

from cloudml_vertex.mock.core import gcs
from tests.unit.vertex_mock.jobs.vertex_bench import Bench

TASK = b"""
import os, sys, trainer.helper
root = os.environ.get("CLOUDML_GCS_ROOT", "/gcs")  # set where the kernel grants no mounts
with open(f"{root}/bucket/out", "w") as file:
    file.write(trainer.helper.WORD + " ".join(sys.argv[1:]))
"""
HELPER = b"WORD = 'ran '"


def sdist(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def wheel(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def package(top: str) -> dict[str, bytes]:
    return {f"{top}trainer/__init__.py": b"", f"{top}trainer/task.py": TASK, f"{top}trainer/helper.py": HELPER}


def run(bench: Bench, *uris: str) -> dict[str, Any]:
    spec = {
        "executor_image_uri": "us-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest",
        "package_uris": list(uris),
        "python_module": "trainer.task",
        "args": ["--epochs=3"],
    }
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "python_package_spec": spec}
    return bench.ended(bench.create(worker_pool_specs=[pool]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t-1.tar.gz", sdist({"t-1/setup.py": b"", **package("t-1/")})),
        ("s-1.tar.gz", sdist({"s-1/pyproject.toml": b"", **package("s-1/src/")})),
        ("w-1-py3-none-any.whl", wheel({"w-1.dist-info/METADATA": b"", **package("")})),
    ],
)
def test_a_package_runs_as_a_module(bench: Bench, name: str, data: bytes) -> None:
    gcs.write(bench.world, f"gs://bucket/{name}", data)
    job = run(bench, f"gs://bucket/{name}")
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert bench.text("out") == "ran --epochs=3"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tar.gz", sdist({"../../../outside": b"x"})),
        ("b.zip", wheel({"../../../outside": b"x"})),
        ("c.tar.gz", b"no archive"),
    ],
)
def test_what_leads_out_or_is_no_archive_is_refused(bench: Bench, name: str, data: bytes) -> None:
    gcs.write(bench.world, f"gs://bucket/{name}", data)
    job = run(bench, f"gs://bucket/{name}")
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    assert f"gs://bucket/{name}" in job["error"]["message"]
    assert not list(bench.folder.rglob("outside"))


def test_a_missing_package_is_named(bench: Bench) -> None:
    assert "gs://bucket/none.whl" in run(bench, "gs://bucket/none.whl")["error"]["message"]
