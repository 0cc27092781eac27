"""Fixtures of the fault tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worlds import TAG, World


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Makes one project of a source text. Whatever its processes, none may be left when the test ends."""
    made: list[World] = []

    def world(source: str, name: str = "world", **more: object) -> World:
        found = World(tmp_path / name, source, **more)  # type: ignore[arg-type]
        monkeypatch.setenv(TAG, str(found.root))
        made.append(found)
        return found

    yield world
    for one in made:
        assert one.gone(), one.processes()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk of a given size (`2m`); skipped where this process may not mount one."""
    mounted: list[Path] = []

    def disk(size: str) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
        )
        if os.getuid() != 0 or done.returncode != 0:
            pytest.skip("only root may mount a small disk")
        mounted.append(place)
        return place

    yield disk
    for place in mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
