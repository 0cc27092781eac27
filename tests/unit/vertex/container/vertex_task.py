"""A made-up task of Vertex AI: Cloud Storage as a folder, an executor input, jobs run from a bundle as in life."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cloudml.runtime.digest import path_digest
from cloudml_vertex.container.main import run

Document = dict[str, Any]
ROOT = "gs://data/root/1234/run-1/work_5"
"""Where Vertex puts what the task makes."""
PREFIX = "gs://data/shop/gcp"


def port(name: str, type_name: str, mode: str = "value") -> Document:
    """An output port as step.json declares it."""
    return {"name": name, "type": type_name, "mode": mode, "fields": []}


def home(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def library() -> bytes:
    """What travels: cloudml's rooms for jobs, the backend's container and hosting, and the entry that knows them."""
    neutral, own = home("cloudml"), home("cloudml_vertex")
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.write(neutral / "__init__.py", "cloudml/__init__.py")
        for room in ("authoring", "errors", "jobs", "runtime", "serving", "spec"):
            for path in (neutral / room).rglob("*.py"):
                archive.write(path, f"cloudml/{path.relative_to(neutral).as_posix()}")
        archive.writestr("cloudml_vertex/__init__.py", "")
        for room in ("container", "hosting"):
            for path in (own / room).rglob("*.py"):
                archive.write(path, f"cloudml_vertex/{path.relative_to(own).as_posix()}")
        archive.write(own / "container" / "entry.py", "cloudml_entry.py")
    return raw.getvalue()


class Task:
    """One task and its Cloud Storage. `project` maps file names to Python source."""

    def __init__(self, base: Path, project: Mapping[str, str]) -> None:
        self.base = base
        self.gcs = base / "gcs"
        self.gcs.mkdir(parents=True)
        self.project = {name: textwrap.dedent(text) for name, text in project.items()}
        self.parameters: Document = {}
        self.inputs: dict[str, list[Document]] = {}

    def place(self, uri: str) -> Path:
        return self.gcs / uri.removeprefix("gs://")

    def artifact(self, key: str, name: str, value: Any, uri: str = "", **more: Any) -> None:
        """A JSON artifact as an earlier task has left it, added to the input `key`."""
        uri = uri or f"gs://data/root/1234/run-1/before_{len(self.inputs)}/{name}"
        folder = self.place(uri)
        folder.mkdir(parents=True)
        file = folder / f"{name}.json"
        file.write_text(json.dumps(value))
        record = {"name": name, "type": "Any", "format": "json", "filename": file.name, "size": file.stat().st_size}
        (folder / "artifact.json").write_text(json.dumps({**record, "digest": path_digest(file), **more}))
        self.inputs.setdefault(key, []).append({"name": f"projects/1/artifacts/{key}", "uri": uri})

    def executor_input(self, outputs: Sequence[str]) -> Document:
        """`ml_pipelines.ExecutorInput` as Vertex writes it; paths of files begin with /gcs."""
        names = (*outputs, "result")
        folder = ROOT.replace("gs://", "/gcs/")
        return {
            "inputs": {
                "parameterValues": self.parameters,
                "artifacts": {key: {"artifacts": found} for key, found in self.inputs.items()},
            },
            "outputs": {
                "artifacts": {
                    one: {"artifacts": [{"name": "", "uri": f"{ROOT}/{one}", "metadata": {}}]} for one in names
                },
                "outputFile": f"{folder}/executor_output.json",
            },
        }

    def code(self, step: Document) -> Path:
        """start.py, step.json and the bundle."""
        code = self.base / "code"
        code.mkdir(exist_ok=True)
        (code / "start.py").write_bytes((home("cloudml") / "jobs" / "start.py").read_bytes())
        document = {"version": 1, "kind": "job", "step": "work", "project": "shop", "prefix": PREFIX, **step}
        (code / "step.json").write_text(json.dumps(document))
        with tarfile.open(code / "bundle.tar.gz", "w:gz", compresslevel=0) as archive:
            contents = {f"project/{name}": text.encode() for name, text in self.project.items()}
            for name, content in {**contents, "library.zip": library()}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return code

    def words(self, step: Document, sets: Sequence[str], outputs: Sequence[str] | None = None) -> list[str]:
        names = [one["name"] for one in step.get("outputs", ())] if outputs is None else outputs
        told = json.dumps(self.executor_input(names))
        return ["--executor-input", told, *(word for one in sets for word in ("--set", one))]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "CLOUDML_GCS_ROOT": str(self.gcs), "CLOUD_ML_PROJECT_ID": "1234", **more}

    def start(self, step: Document, *sets: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """As Vertex starts it: a process of its own, out of the bundle."""
        command = [sys.executable, str(self.code(step) / "start.py"), *self.words(step, sets)]
        return subprocess.Popen(
            command, env=self.environment(env or {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def call(
        self,
        step: Document,
        *sets: str,
        env: Mapping[str, str] | None = None,
        outputs: Sequence[str] | None = None,
        more: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """The same job in this process."""
        code, work = self.code(step), self.base / "work"
        words = [*self.words(step, sets, outputs), *more]
        shutil.rmtree(work, ignore_errors=True)
        with tarfile.open(code / "bundle.tar.gz") as archive:
            archive.extractall(work, filter="data")
        before, paths = signal.getsignal(signal.SIGTERM), list(sys.path)
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, self.environment(env or {})))
            out, err = (stack.enter_context(made(io.StringIO())) for made in (redirect_stdout, redirect_stderr))
            try:
                status = run(str(code), str(work), words)
            finally:
                signal.signal(signal.SIGTERM, before)
                sys.path[:] = paths
        return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())

    def json(self, uri: str) -> Any:
        return json.loads(self.place(uri).read_text())

    def result(self) -> Document:
        found: Document = self.json(f"{ROOT}/result/result.json")
        return found

    def told(self) -> Document:
        """The executor output."""
        found: Document = self.json(f"{ROOT}/executor_output.json")
        return found
