"""Small projects for the fault tests: a folder with a pipeline, run in this process or in one apart."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import RunRecord, TaskRecord
from cloudml.operations.prepare import prepare
from cloudml.operations.project import Project, load_project
from cloudml_local.session import LocalSession, connect

TAG = "CLOUDML_FAULTS_TAG"
"""An environment variable that marks every process of one world: its value is the world's folder."""

_HEAD = """
from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import cloudml as ml

SIDE = Path("side")  # steps work in the project's folder


def count(name: str) -> int:
    \"\"\"Note one execution outside of the state; how many there were, this one included.\"\"\"
    with open(SIDE / name, "a") as file:
        file.write("x")
    return os.path.getsize(SIDE / name)
"""

_DRIVE = """
import sys
from pathlib import Path
from worlds import World
world = World.of(Path(sys.argv[1]))
record = world.run() if len(sys.argv) == 2 else world.resume(sys.argv[2])
print(record.status)
"""


class World:
    """A project whose pipeline is `work:pipeline`."""

    def __init__(
        self, root: Path, source: str, *, state: str | None = None, modules: dict[str, str] | None = None
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / "side").mkdir(exist_ok=True)
        (root / "work.py").write_text(_HEAD + textwrap.dedent(source), encoding="utf-8")
        for name, text in (modules or {}).items():
            (root / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        lines = ["[project]", 'name = "work"', 'pipeline = "work:pipeline"']
        if state is not None:
            lines += ["[targets.local]", 'backend = "local"', f'state = "{state}"']
        (root / "cloudml.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.root = root

    @classmethod
    def of(cls, root: Path) -> World:
        """The world that lies in a folder already."""
        made = cls.__new__(cls)
        made.root = root
        return made

    @property
    def project(self) -> Project:
        return load_project(self.root)

    @property
    def target(self) -> Target:
        return self.project.target(None, None)

    @property
    def state(self) -> Path:
        return (self.root / str(self.target.settings.get("state", ".cloudml"))).resolve()

    def resources(self) -> Any:
        return prepare(self.project, self.target, "pipeline").resources

    @contextmanager
    def session(self) -> Iterator[LocalSession]:
        session = connect(self.target)
        try:
            yield session
        finally:
            session.close()

    def run(self, listener: Any = None, **parameters: Any) -> RunRecord:
        with self.session() as session:
            return session.runs.start(self.resources(), parameters, RunOptions(), listener)

    def resume(self, run: str = "last", listener: Any = None) -> RunRecord:
        with self.session() as session:
            return session.runs.resume(session.runs.get(run).id, RunOptions(), listener, self.resources())

    def rerun(self, step: str, run: str = "last") -> RunRecord:
        with self.session() as session:
            return session.runs.rerun(session.runs.get(run).id, step, self.resources())

    def get(self, run: str = "last") -> RunRecord:
        with self.session() as session:
            return session.runs.get(run)

    def count(self, name: str) -> int:
        """How often a step was begun, by its own note."""
        path = self.root / "side" / name
        return path.stat().st_size if path.exists() else 0

    def counts(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in (self.root / "side").iterdir()}

    def spawn(self, run: str | None = None) -> subprocess.Popen[str]:
        """Run (or resume a run) in a process of its own, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", _DRIVE, str(self.root), *([run] if run else [])],
            env={**os.environ, TAG: str(self.root), "PYTHONPATH": str(Path(__file__).parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> dict[int, str]:
        """Living processes that bear this world's mark, with their command lines."""
        return marked(str(self.root))

    def gone(self, patience: float = 5.0) -> bool:
        """Whether all of them have ended, within `patience` seconds."""
        return wait_until(lambda: not self.processes(), patience)

    def await_side(self, name: str, patience: float = 20.0) -> None:
        """Wait until a step has made its note."""
        assert wait_until(lambda: self.count(name) > 0, patience), f"{name} never began"


def wait_until(condition: Any, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def marked(value: str) -> dict[int, str]:
    """Living processes whose environment has the mark, with their command lines."""
    wanted = f"{TAG}={value}".encode()
    found = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or int(place.name) == os.getpid():
            continue
        try:
            bears = wanted in (place / "environ").read_bytes().split(b"\0")
            if bears and b"State:\tZ" not in (place / "status").read_bytes():
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def outcome(record: RunRecord) -> dict[str, Any]:
    """What two runs of the same pipeline must agree on: states, values, digests. A reused result counts as computed."""
    return {
        task.id: (
            {"cached": "succeeded"}.get(task.status, task.status),
            task.values,
            task.metrics,
            {output.name: output.digest for output in task.outputs},
        )
        for task in record.tasks
    }


Make = Callable[..., World]
"""What the fixture `make` gives: a world of a source text."""

CHAIN = """
@ml.processing
def first() -> list[int]:
    count("first")
    return list(range(20_000))

@ml.processing
def second(values: list[int]) -> bytes:
    count("second")
    return bytes(value % 251 for value in values)

@ml.processing
def third(data: bytes) -> int:
    count("third")
    return sum(data)

@ml.pipeline
def pipeline() -> None:
    third(second(first()))
"""
SUM = sum(value % 251 for value in range(20_000))


def one_step(body: str, decorator: str = "@ml.processing", returns: str = "int") -> str:
    """A pipeline of a single step `work` with that body."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"""
{decorator}
def work() -> {returns}:
    count("work")
{lines}

@ml.pipeline
def pipeline() -> None:
    work()
"""


def task(record: RunRecord, name: str = "work") -> TaskRecord:
    found = record.task(name)
    assert found is not None
    return found


def failure(record: RunRecord, name: str = "work") -> dict[str, Any]:
    found = task(record, name)
    assert (record.status, found.status) == ("failed", "failed"), (record.reason, found)
    assert found.failure is not None
    return found.failure
