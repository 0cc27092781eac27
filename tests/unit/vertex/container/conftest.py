"""A task with a small project in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vertex_task import Task

PROJECT = {
    "vertex_steps.py": """
        import os, signal, time
        from pathlib import Path

        from cloudml.runtime.handles import Model, Out
        from cloudml.runtime.metrics import Metrics

        class Scores(Metrics):
            auc: float
            rows: int

        def add(left: int, right: float) -> float:
            return left + right

        def score(count: int) -> Scores:
            return Scores(auc=count / 8, rows=count)

        def folder(model: Out[Model]) -> None:
            model.path.mkdir()
            (model.path / "weights.txt").write_text("w")
            tool = model.path / "tool.sh"
            tool.write_text("#!/bin/sh")
            tool.chmod(0o755)

        def look(model: Model) -> list:
            return sorted((p.name, os.access(p, os.X_OK)) for p in model.path.iterdir())

        def total(parts: list) -> int:
            return sum(parts)

        def file_text(data: Path) -> str:
            return data.read_text()

        def broken(count: int = 0) -> int:
            raise ValueError(f"count is {count}")

        def dies() -> int:
            os.kill(os.getpid(), signal.SIGKILL)

        def sleeps(marker: str) -> int:
            Path(marker).write_text("here")
            time.sleep(60)

        def whisper(password: str) -> int:
            raise RuntimeError(f"cannot log in with {password}")

        def trial(rate: float, depth: int, kind: str) -> Scores:
            return Scores(auc=rate * depth, rows=len(kind))

        def kept() -> str:
            from cloudml.runtime.reporting import checkpoint_dir
            return str(checkpoint_dir())

        def told(**given) -> dict:
            return given
    """
}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(tmp_path / "task", PROJECT)
