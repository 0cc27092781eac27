"""Filters of List requests: examples of google.aip.dev/160 and of Vertex AI's own documentation of `filter` fields."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.filters import wanted

ROW: dict[str, Any] = {
    "display_name": "churn weekly",
    "state": "PIPELINE_STATE_RUNNING",
    "create_time": "2026-11-23T10:00:00Z",
    "labels": {"team": "ml", "cost-center": "42"},
    "runs": 3,
    "aliases": ["default", "champion"],
}
FIELDS = {name: name for name in ROW}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ('display_name="churn weekly"', True),
        ("display_name='churn weekly'", True),
        ('display_name="churn*"', True),
        ('display_name="*weekly"', True),
        ('display_name="Churn*"', False),
        ('display_name!="churn weekly"', False),
        ("state=PIPELINE_STATE_RUNNING", True),
        ("NOT state=PIPELINE_STATE_RUNNING", False),
        ("-state=PIPELINE_STATE_FAILED", True),
        ("labels.team=ml", True),
        ("labels.team:*", True),
        ("labels.nobody:*", False),
        ("labels:team", True),
        ("labels.cost-center=42", True),
        ('create_time>"2026-11-23T09:59:59Z"', True),
        ('create_time<"2026-11-23T11:00:00+01:00"', False),
        ('create_time<="2026-11-23T11:00:00+01:00"', True),
        ("create_time>2026-11-23T09:59:59Z", True),
        ("runs>2", True),
        ("runs>=10", False),
        ("aliases:champion", True),
        ("state=PIPELINE_STATE_FAILED OR labels.team=ml", True),
        # OR binds closer than AND: (failed OR ml) AND runs=9 is false, failed OR (ml AND runs=3) would be true.
        ("runs=9 AND state=PIPELINE_STATE_RUNNING OR labels.team=ml", False),
        ("(runs=9 AND state=PIPELINE_STATE_RUNNING) OR labels.team=ml", True),
        ("labels.team=ml runs=3", True),
        ("labels.team=ml runs=4", False),
    ],
)
def test_a_filter_wants(text: str, expected: bool) -> None:
    assert wanted(text, FIELDS)(ROW) is expected


@pytest.mark.parametrize(
    "text",
    [
        "colour=red",
        "state",
        "state=",
        "=x",
        "(state=x",
        "state=x)",
        "state=x AND",
        "NOT",
        '"state"=x',
        "state==x",
        "a" * 9000,
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(GoogleError) as refused:
        wanted(text, FIELDS)(ROW)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(GoogleError, match="nested"):
        wanted("(" * 500 + "runs=3" + ")" * 500, FIELDS)
