"""Names in Google's alphabets: legal, equal for equal names, different for different ones."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from cloudml_vertex import names

ODD = ("fit", "Fit", "fit_model", "fit-model", "1st", "-", "é", "x" * 200, "a.b", "a b", "fit-0a1b2c3d", "FIT")


@pytest.mark.parametrize("name", ODD)
def test_names_are_legal_everywhere(name: str) -> None:
    """Ids: the narrowest of Google's alphabets; labels: Resource Manager's; jobs: PipelineService.CreatePipelineJob."""
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", names.resource("shop", "gcp", name))
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,62}[a-z0-9])?", names.pipeline("shop", "gcp", name))
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", names.step(name, "watch"))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", names.parameter(name))
    assert re.fullmatch(r"[a-z0-9_-]{1,63}", names.label(name))


def test_what_is_legal_stays() -> None:
    assert names.resource("shop", "gcp", "churn") == "shop-gcp-churn"
    assert names.step("fit", "best") == "fit-best"
    assert names.label("churn_model-2") == "churn_model-2"
    assert names.parameter("learning_rate") == "learning_rate"


@pytest.mark.parametrize("make", [names.step, names.parameter, names.label, lambda one: names.resource("s", "g", one)])
def test_different_names_stay_different(make: Callable[[str], str]) -> None:
    assert len({make(one) for one in ODD}) == len(ODD)


def test_parts_that_could_be_read_in_two_ways_are_told_apart() -> None:
    assert names.resource("a-b", "c", "d") != names.resource("a", "b-c", "d")
    assert names.resource("a", "b", "c-d") == "a-b-c-d"
