"""The reference page is the code's own tables, and says something of every operation of AWS."""

from __future__ import annotations

import re
from pathlib import Path

from cloudml_sagemaker.mock import reference
from cloudml_sagemaker.mock.core.doubts import SWITCHES
from cloudml_sagemaker.mock.core.operations import OPERATIONS
from cloudml_sagemaker.service.model import SERVICES, operation_names

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "sagemaker-mock.md"


def test_the_page_is_the_render_of_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.render(), "run: python -m cloudml_sagemaker.mock.reference"


def test_every_operation_of_aws_is_there_exactly_once() -> None:
    page = reference.render().partition("## Switches")[0]
    named = re.findall(
        r"`([A-Z][A-Za-z0-9]+)`", page.replace("`NotImplemented`", "").replace("`UnknownOperationException`", "")
    )
    known = [name for service in SERVICES for name in operation_names(service)]
    assert sorted(named) == sorted(known)
    assert len(known) > 425


def test_every_operation_of_ours_belongs_to_an_area() -> None:
    reference.render()
    assert {reference._room(one) for one in OPERATIONS.values()} <= set(reference._ROOMS)


def test_every_switch_says_what_is_known() -> None:
    for switch in SWITCHES:
        assert len(switch.choices) >= 2
        assert switch.about
        assert switch.source
