"""A running mock of Vertex AI on which the pipelines that kfp compiled are played."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudml.mocks.port import MockOptions
from cloudml.mocks.remote import MockControl
from cloudml_vertex.mock.start import Mock, start
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


class Clients:
    """Google's GAPIC clients over gRPC in the clear, each made once."""

    def __init__(self, endpoint: str) -> None:
        import grpc

        self._channel = grpc.insecure_channel(endpoint)
        self._made: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        """A client by the name of its class."""
        if name not in self._made:
            kind = getattr(importlib.import_module("google.cloud.aiplatform_v1"), name)
            transport = kind.get_transport_class("grpc")
            self._made[name] = kind(transport=transport(channel=self._channel))
        return self._made[name]

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class Stage:
    """The mock and its clients."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.told = MockControl(mock.url, timeout=120)
        self.client = Clients(mock.endpoint)

    @property
    def cloud(self) -> Cloud:
        """What a player needs."""
        return Cloud(PROJECT, self.client, lambda: self.advance(60), self.mock.world.gcs)

    def advance(self, seconds: float) -> None:
        """Let time pass; what is under way ends first."""
        self.told.advance(seconds)

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
    mock = start(MockOptions(images=rules(), **{"hold": True, **options}))
    stage = Stage(mock)
    try:
        yield stage
    finally:
        stage.client.close()
        mock.stop()
