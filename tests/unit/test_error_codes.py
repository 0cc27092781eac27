"""Every code that the sources use is explained, and the page is what the table renders."""

from __future__ import annotations

import re
from pathlib import Path

from cloudml.errors.codes import CODES, SECTIONS, render

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("cloudml", "backends", "templates") for path in (ROOT / folder).rglob("*.py")]


def test_every_code_in_the_sources_is_documented() -> None:
    table = ROOT / "cloudml" / "errors" / "codes.py"
    used = {code for path in SOURCES if path != table for code in re.findall(r"CML\d{3}", path.read_text())}
    assert len(used) > 60
    assert used - set(CODES) == set()
    assert set(CODES) - used == set(), "documented, and used nowhere"


def test_no_code_stands_in_two_sections() -> None:
    assert sum(len(table) for _, _, table in SECTIONS) == len(CODES)


def test_every_entry_is_whole() -> None:
    for code, entry in CODES.items():
        assert re.fullmatch(r"CML\d{3}", code)
        assert entry.meaning.endswith(".")
        assert entry.remedy.endswith(".")
        assert not entry.title.endswith(".")


def test_the_page_is_rendered_from_the_table() -> None:
    assert (ROOT / "docs" / "reference" / "errors.md").read_text() == render()
