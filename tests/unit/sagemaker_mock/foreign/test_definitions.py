"""Pipelines that AWS's SDK built end as AWS's published semantics say; the expectations stand in the data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_sdk.playing import Player, names, read, wording

if TYPE_CHECKING:
    from .conftest import Stage


def runs(player: Player, expected: list[dict[str, Any]]) -> dict[str, list[str]]:
    """All executions of the definition, in their order; what differs, by run."""
    name = player.case["pipeline"]
    player.create(player.case["definition"], name)
    found = {run["name"]: player.play(run, name) for run in expected}
    return {run: differences for run, differences in found.items() if differences}


def start_refused(player: Player, expected: dict[str, Any]) -> list[str]:
    """A start with wrong parameters."""
    name = "start-" + slug(expected["name"])
    player.create(player.case["definition"], name)
    with pytest.raises(ClientError) as refused:
        player.start(name, expected["parameters"])
    return wording("start", expected, refused.value)


def damage_refused(player: Player, damage: dict[str, Any]) -> list[str]:
    """A damaged definition, at create or at run."""
    return player.refusal_of(damage, "damage-" + slug(damage["name"]))


def slug(text: str) -> str:
    """A pipeline's name of it."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


# Case by case, so that one mock does for all tests of a case.
ITEMS = [
    pytest.param(name, act, expected, id=f"{name}-{act.__name__}-{label}")
    for name in names()
    for act, label, expected in [
        (runs, "all", read(name)["expect"]),
        *((start_refused, start["name"], start) for start in read(name)["refused"]),
        *((damage_refused, damage["name"], damage) for damage in read(name)["broken"]),
    ]
]


@pytest.mark.parametrize(("name", "act", "expected"), ITEMS)
def test_the_mock_does_as_aws_would(stage: Stage, name: str, act: Any, expected: Any) -> None:
    assert not act(stage.player(name), expected)
