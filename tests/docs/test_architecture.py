"""The architecture page against the tree: the rooms that it names exist, and the import law is the one enforced."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from fences import fences

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "concepts" / "architecture.md").read_text(encoding="utf-8")
TEXTS = [fence.body for fence in fences(PAGE) if fence.language == "text"]


def rooms() -> list[str]:
    """Paths that the page's tree names."""
    [tree] = [text for text in TEXTS if text.startswith("cloudml/ ")]
    found, top = [], ""
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            top = name
            found.append(top)
        else:
            found.append(top + name)
    return found


@pytest.mark.parametrize("room", rooms())
def test_the_rooms_exist(room: str) -> None:
    assert (ROOT / room).exists()


def test_no_room_of_the_neutral_half_is_left_out() -> None:
    named = {Path(room).stem for room in rooms() if room.startswith("cloudml/")}
    there = {
        path.stem
        for path in (ROOT / "cloudml").iterdir()
        if path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists())
    }
    assert there - named == {"__init__", "__main__"}


def test_no_room_of_the_sagemaker_backend_is_left_out() -> None:
    named = {room.split("/")[2] for room in rooms() if re.fullmatch(r"backends/cloudml_sagemaker/\w+/", room)}
    home = ROOT / "backends" / "cloudml_sagemaker"
    assert named == {path.name for path in home.iterdir() if path.is_dir() and path.name != "__pycache__"}


def test_the_import_law_is_the_one_that_is_enforced() -> None:
    [law] = [text for text in TEXTS if text.startswith("cli ")]
    shown = [set(re.findall(r"\w+", layer)) for layer in law.split(">")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [enforced] = [one for one in contracts if one["type"] == "layers" and one["containers"] == ["cloudml"]]
    assert shown == [set(re.findall(r"\w+", layer)) for layer in enforced["layers"] if layer != "__main__"]
