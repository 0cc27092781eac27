"""Digests of the user's files are remembered only while nothing could have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudml_local.state import inventory as module
from cloudml_local.state.database import Database
from cloudml_local.state.inventory import Inventory


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    database = Database(tmp_path / "state.db")
    yield Inventory(database)
    database.close()


def sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_an_old_file_is_read_once(inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    os.utime(path, (1_000_000, 1_000_000))
    assert inventory.measure(path) == (sha("old"), 3)
    monkeypatch.setattr(module, "measure", lambda path: pytest.fail("it was read again"))
    assert inventory.measure(path) == (sha("old"), 3)


def test_a_file_that_was_touched_is_read_again(inventory: Inventory, tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    os.utime(path, (1_000_000, 1_000_000))
    inventory.measure(path)
    path.write_text("new")
    os.utime(path, (1_000_000, 1_000_000))  # the same size and time: the inode's own change time tells
    assert inventory.measure(path) == (sha("new"), 3)


def test_a_fresh_file_is_not_trusted(inventory: Inventory, tmp_path: Path) -> None:
    path = tmp_path / "fresh.txt"
    path.write_text("one")
    inventory.measure(path)
    assert inventory._database.rows("SELECT * FROM digests") == []


def test_folders_are_read_each_time(inventory: Inventory, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("a")
    first = inventory.measure(folder)
    (folder / "a").write_text("b")
    assert inventory.measure(folder) != first
