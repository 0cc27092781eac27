"""Labs: a processing container and a training container with a small project in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from container_lab import Lab

PROJECT = {
    "steps.py": """
        import os, signal, sys, time
        from pathlib import Path
        from typing import NamedTuple

        from cloudml.runtime.handles import Model, Out
        from cloudml.runtime.metrics import Metrics

        class Scores(Metrics):
            auc: float
            rows: int

        class Made(NamedTuple):
            total: int
            names: list

        def add(left: int, right: float) -> float:
            return left + right

        def several() -> Made:
            return Made(3, ["a", "b"])

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

        def everything(**given) -> dict:
            return given

        def total(parts: list) -> int:
            return sum(parts)

        def file_text(data: Path) -> str:
            return data.read_text()

        def broken(count: int = 0) -> int:
            raise ValueError(f"count is {count}")

        def flaky(marker: str) -> int:
            place = Path(marker)
            tries = int(place.read_text()) if place.exists() else 0
            place.write_text(str(tries + 1))
            if tries < 2:
                raise ConnectionError("not yet")
            return tries

        def dies() -> int:
            os.kill(os.getpid(), signal.SIGSEGV)

        def sleeps(marker: str) -> int:
            Path(marker).write_text("here")
            time.sleep(60)

        def whisper(password: str) -> int:
            raise RuntimeError(f"cannot log in with {password}")

        class Named(NamedTuple):
            artifact: dict
            other: int

        def named() -> Named:
            return Named({"x": 1}, 2)

        def trial(rate: float, depth: int, kind: str) -> Scores:
            return Scores(auc=rate * depth, rows=len(kind))

        def kept() -> str:
            from cloudml.runtime.reporting import checkpoint_dir
            return str(checkpoint_dir())
    """
}


@pytest.fixture
def processing(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ml", PROJECT)


@pytest.fixture
def training(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ml", PROJECT, training=True)


@pytest.fixture
def lab(tmp_path: Path) -> Callable[..., Lab]:
    """More containers than one: `lab("name", training=True)`."""
    return lambda name, **options: Lab(tmp_path / name / "ml", PROJECT, **options)
