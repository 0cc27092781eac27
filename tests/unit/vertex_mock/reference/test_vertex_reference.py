"""The reference page is the code's own tables, and says something of every RPC that Google's clients know."""

from __future__ import annotations

import re
from pathlib import Path

from cloudml_vertex.mock import reference
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.operations import OPERATIONS

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "vertex-mock.md"


def test_the_page_is_the_render_of_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.render(), "run: python -m cloudml_vertex.mock.reference"


def test_every_rpc_of_googles_clients_is_there_exactly_once() -> None:
    page = reference.render().partition("## Switches")[0]
    head, _, refused = page.partition("## Refused")
    served = re.findall(r"^\| `(\w+\.\w+)` \|", head, re.MULTILINE)
    for service, names in re.findall(r"^`(\w+)` \(\d+\): (.*)\.$", refused, re.MULTILINE):
        served += [f"{service}.{name}" for name in re.findall(r"`(\w+)`", names)]
    mixed = {one for one in served if one.partition(".")[0] in ("Operations", "Locations", "IAMPolicy")}
    every = [f"{service}.{name}" for service, names in reference.known().items() for name in names]
    assert sorted(set(served) - mixed) == sorted(every)
    assert len(served) == len(set(served))
    assert len(every) > 400


def test_every_rpc_of_ours_belongs_to_an_area() -> None:
    reference.render()
    assert {reference.room_of(one) for one in OPERATIONS.values()} <= reference.rooms()


def test_every_switch_says_what_is_known() -> None:
    for switch in SWITCHES:
        assert len(switch.choices) >= 2
        assert switch.about
        assert switch.source
