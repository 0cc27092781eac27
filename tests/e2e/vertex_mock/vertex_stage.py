"""A running mock of Vertex AI on which the pipelines that kfp compiled are played."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudml.testing.mocks import VertexInUse, running_vertex
from tests.kfp_sdk.playing import PROGRAMS, Cloud, Player, read

PROJECT = "foreign-team"
SYSTEM = "/usr"
"""Stands for the images of shell programs: their commands are of this machine."""


def kfp_environment() -> str:
    """An environment that has kfp, as CLOUDML_KFP_PYTHON names its interpreter; "" when there is none."""
    python = os.environ.get("CLOUDML_KFP_PYTHON", "")
    return str(Path(python).parents[1]) if python else ""


def rules() -> tuple[str, ...]:
    """What stands for the images in the data files."""
    programs = {f"team/tools/{Path(name).stem}": name for name in ("server.py", "trial.py")}
    return (
        f"team/tools/shell={SYSTEM}",
        f"team/tools/python={sys.prefix}",
        *(f"{image}={sys.executable} -S {PROGRAMS / program}" for image, program in programs.items()),
        *([f"team/tools/kfp={kfp_environment()}"] if kfp_environment() else []),
    )


class Stage:
    """The mock and its clients."""

    def __init__(self, mock: VertexInUse) -> None:
        self.mock = mock
        self.client = functools.cache(mock.client)
        self.cloud = Cloud(PROJECT, self.client, lambda: self.mock.advance(60) and None, mock.running.folder / "gcs")

    def case(self, name: str) -> dict[str, Any]:
        """A data file."""
        return read(name)

    def play(self, case: dict[str, Any]) -> dict[str, list[str]]:
        """Run after run on an empty mock; what differs, by run."""
        self.mock.reset()
        player = Player(self.cloud, case)
        player.prepare()
        found = {run["name"]: player.play(f"run-{number}", run) for number, run in enumerate(case["runs"])}
        return {run: differences for run, differences in found.items() if differences}


@contextmanager
def standing(**options: Any) -> Iterator[Stage]:
    """A stage of its own."""
    with running_vertex(images=rules(), hold=True, **options) as mock:
        yield Stage(mock)
