"""A made-up /opt/ml and jobs run in it as SageMaker runs them: a process, `start.py`, a code bundle."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cloudml.runtime.digest import path_digest
from cloudml_sagemaker import library
from cloudml_sagemaker.container.main import run

Document = dict[str, Any]


def port(name: str, type_name: str, mode: str = "value", fields: Sequence[str] = ()) -> Document:
    """An output port as step.json declares it."""
    return {"name": name, "type": type_name, "mode": mode, "fields": list(fields)}


@cache
def _library() -> bytes:
    return library.pack({name: path.read_bytes() for name, path in library.files().items()})


class Lab:
    """One container's folders. `training` decides which; `project` maps file names to Python source."""

    def __init__(self, base: Path, project: Mapping[str, str], *, training: bool = False) -> None:
        self.base = base
        self.training = training
        self.project = {name: textwrap.dedent(text) for name, text in project.items()}
        (base / "output").mkdir(parents=True)
        config = base / "input" / "config" if training else base / "config"
        config.mkdir(parents=True)
        (config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
        if training:
            self.tell({})
        else:
            (base / "processing" / "output").mkdir(parents=True)

    @property
    def outputs(self) -> Path:
        return self.base / "model" if self.training else self.base / "processing" / "output"

    def input(self, name: str) -> Path:
        found = self.base / ("input/data" if self.training else "processing/input") / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def tell(self, hyperparameters: Mapping[str, str]) -> None:
        (self.base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(dict(hyperparameters)))

    def artifact(self, folder: Path, name: str, value: Any, **more: Any) -> None:
        """A JSON artifact as an earlier job has left it."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.json"
        file.write_text(json.dumps(value))
        record = {"name": name, "type": "Any", "format": "json", "filename": file.name, "size": file.stat().st_size}
        (folder / "artifact.json").write_text(json.dumps({**record, "digest": path_digest(file), **more}))

    def bundle(self, step: Document) -> Path:
        """The code folder: start.py, step.json and the bundle, as the uploader lays them out."""
        code = self.input("cloudml")
        (code / "start.py").write_bytes(library.start_file().read_bytes())
        (code / "step.json").write_text(json.dumps({"version": 1, "kind": "job", "step": "work", **step}))
        source = self.base.parent / "source"
        source.mkdir(exist_ok=True)
        with tarfile.open(code / "bundle.tar.gz", "w:gz", compresslevel=0) as archive:
            for name, text in self.project.items():
                (source / name).write_text(text)
                archive.add(source / name, f"project/{name}")
            packed = _library()
            member = tarfile.TarInfo(library.ARCHIVE)
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))
        return code

    def command(self, step: Document, *sets: str) -> list[str]:
        arguments = [word for one in sets for word in ("--set", one)]
        return [sys.executable, str(self.bundle(step) / "start.py"), *arguments]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "SAGEMAKER_BASE_DIR": str(self.base), **more}

    def run(self, step: Document, *sets: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(step, *sets),
            env=self.environment(env or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def call(self, step: Document, *sets: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """The same job in this process, which has AWS's client libraries loaded: they cost a job half a second."""
        code, work = self.bundle(step), self.base / "work"
        words = [word for one in sets for word in ("--set", one)]
        with tarfile.open(code / "bundle.tar.gz") as archive:
            archive.extractall(work, filter="data")
        before, paths, modules = signal.getsignal(signal.SIGTERM), list(sys.path), set(sys.modules)
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, self.environment(env)))
            out, err = (stack.enter_context(made(io.StringIO())) for made in (redirect_stdout, redirect_stderr))
            try:
                status = run(str(code), str(work), words)
            finally:
                signal.signal(signal.SIGTERM, before)
                sys.path[:] = paths
                for name in {path.stem for path in (work / "project").iterdir()} & (set(sys.modules) - modules):
                    del sys.modules[name]
        return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())

    def result(self) -> Document:
        found: Document = json.loads((self.outputs / "result" / "result.json").read_text())
        return found

    def record(self, *names: str) -> Document:
        found: Document = json.loads(self.outputs.joinpath(*names, "artifact.json").read_text())
        return found

    def message(self) -> str:
        return (self.base / "output" / ("failure" if self.training else "message")).read_text()
