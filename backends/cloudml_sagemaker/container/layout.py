"""Where SageMaker puts things in a container, and where it looks for what a job leaves.

Developer guide, "Build Your Own Processing Container" and "How Amazon SageMaker Runs Your Training Image". As AWS's own
toolkits do, SAGEMAKER_BASE_DIR may name another folder than /opt/ml.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPT = "/opt/ml"


@dataclass(frozen=True)
class Layout:
    """The folders of one job. `training` is also what a tuning job's trials are."""

    base: Path
    training: bool
    shared: bool = False

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Layout:
        """By what is there: a processing job has its own folder, a training job a folder of configuration."""
        base = Path(environment.get("SAGEMAKER_BASE_DIR") or OPT)
        return cls(base, not (base / "processing").is_dir() and (base / "input").is_dir())

    def input(self, name: str) -> Path:
        """The folder of an input or channel."""
        return self.base / "input" / "data" / name if self.training else self.base / "processing" / "input" / name

    def items(self, name: str) -> list[Path]:
        """The folders of an input that are named by numbers, in their order."""
        folder = self.input(name)
        found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
        return sorted((one for one in found if one.name.isdigit()), key=lambda one: int(one.name))

    def external(self, name: str, uri: str) -> Path:
        """What an input brought from an address in S3: that file, or the folder when it is a prefix."""
        place = self.input(name)
        file = place / os.path.basename(uri.rstrip("/"))
        return file if file.is_file() else place

    def output(self, name: str) -> Path:
        """The folder of an output."""
        return self.outputs / name

    @property
    def outputs(self) -> Path:
        """The folder of the outputs: each port has one below it. All of a training job's become its model archive."""
        return self.base / "model" if self.training else self.base / "processing" / "output"

    @property
    def result(self) -> Path:
        """The record of what happened."""
        return self.outputs / "result" / "result.json"

    @property
    def message(self) -> Path:
        """The file whose beginning becomes the job's failure reason, or exit message."""
        return self.base / "output" / ("failure" if self.training else "message")

    @property
    def checkpoints(self) -> Path:
        """The folder that SageMaker keeps in step with S3 (CheckpointConfig)."""
        return self.base / "checkpoints"

    def hyperparameters(self) -> dict[str, str]:
        """As SageMaker wrote them: every value a text; none for a processing job."""
        found = self._config("hyperparameters.json") if self.training else {}
        return {name: str(value) for name, value in found.items()}

    def hosts(self) -> tuple[list[str], int]:
        """The names of the job's machines, and which of them (from 0) this one is."""
        found = self._config("resourceconfig.json")
        names = sorted(found.get("hosts") or ["algo-1"])
        current = found.get("current_host")
        return names, names.index(current) if current in names else 0

    def _config(self, name: str) -> dict[str, Any]:
        folder = self.base / "input" / "config" if self.training else self.base / "config"
        try:
            found = json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            return {}
        return found if isinstance(found, dict) else {}
