"""Mocks on a state folder, and what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start


@contextmanager
def kept(folder: Path) -> Iterator[Mock]:
    """A mock on the folder for the block; nothing runs in it."""
    running = start(Options(state=folder, isolation="paths"))
    try:
        yield running
    finally:
        running.stop()


def journal(folder: Path) -> list[dict[str, Any]]:
    """The requests that were written down."""
    return [json.loads(line) for line in (folder / "moto" / "journal.jsonl").read_text().splitlines()[1:]]
