"""Pipelines that kfp and Google's components compiled end as their documentation says; the expectations stand in the
data, with their sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument

from tests.e2e.vertex_mock.vertex_stage import Stage
from tests.kfp_sdk.playing import Player, names, read

REFUSED = [
    pytest.param(name, refused, id=f"{name}-{refused['name']}") for name in names() for refused in read(name)["refused"]
]


@pytest.mark.parametrize("name", names())
def test_it_ends_as_the_documentation_says(outcome: Callable[[str], dict[str, list[str]]], name: str) -> None:
    assert not outcome(name)


@pytest.mark.parametrize(("name", "refused"), REFUSED)
def test_wrong_parameters_are_refused(stage: Stage, name: str, refused: dict[str, Any]) -> None:
    player = Player(stage.cloud, read(name))
    with pytest.raises(InvalidArgument) as caught:
        player.create("refused", {"parameters": refused.get("parameters", {})})
    for word in refused.get("says", []):
        assert word in caught.value.message
