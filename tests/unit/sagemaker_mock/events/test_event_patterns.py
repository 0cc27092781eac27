"""EventBridge's pattern language, by the examples of its user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml_sagemaker.mock.events import patterns

# The event of the user guide's page on event patterns.
EC2 = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {
        "instance-id": "i-1234567890abcdef0",
        "state": "terminated",
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "responseElements": None,
        "source-ip": "10.0.0.33",
        "file": "dir/image.PNG",
        "eventVersion": "",
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}, True),
        ({"source": ["aws.ec2"], "detail": {"state": ["running", "stopped"]}}, False),
        ({"source": ["AWS.EC2"]}, False),
        ({"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0", "other"]}, True),
        ({"detail": {"eventVersion": [""]}}, True),
        ({"detail": {"responseElements": [None]}}, True),
        ({"detail": {"missing": [None]}}, False),
        ({"time": [{"prefix": "2017-12-22"}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
        ({"detail": {"file": [{"suffix": ".png"}]}}, False),
        ({"detail": {"file": [{"suffix": {"equals-ignore-case": ".png"}}]}}, True),
        ({"detail": {"state": [{"anything-but": "initializing"}]}}, True),
        ({"detail": {"state": [{"anything-but": ["stopped", "terminated"]}]}}, False),
        ({"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}, True),
        ({"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}, True),
        ({"detail": {"state": [{"anything-but": {"prefix": ["init", "term"]}}]}}, False),
        ({"detail": {"state": [{"anything-but": {"suffix": "ed"}}]}}, False),
        ({"detail": {"state": [{"anything-but": {"equals-ignore-case": ["TERMINATED"]}}]}}, False),
        ({"detail": {"file": [{"anything-but": {"wildcard": "*/lib/*"}}]}}, True),
        ({"detail": {"missing": [{"anything-but": "a"}]}}, False),
        ({"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}]}}, True),
        ({"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}]}}, True),
        ({"detail": {"c-count": [{"numeric": [">", 5]}]}}, False),
        ({"detail": {"state": [{"numeric": [">", 0]}]}}, False),
        ({"detail": {"c-count": [5]}}, True),
        ({"detail": {"c-count": [5.0]}}, False),
        ({"detail": {"c-count": [True]}}, False),
        ({"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}, False),
        ({"detail": {"state": [{"exists": True}]}}, True),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"missing": [{"exists": True}]}}, False),
        # "Exists matching only works on leaf nodes."
        ({"detail": [{"exists": True}]}, False),
        ({"detail-type": [{"equals-ignore-case": "ec2 instance state-change notification"}]}, True),
        ({"detail": {"file": [{"wildcard": "dir/*.PNG"}]}}, True),
        ({"detail": {"file": [{"wildcard": "*.png"}]}}, False),
        ({"detail": {"$or": [{"c-count": [{"numeric": [">", 10]}]}, {"d-count": [{"numeric": ["<", 8]}]}]}}, True),
        ({"$or": [{"source": ["a"]}, {"account": ["b"]}], "region": ["us-west-1"]}, False),
        ({"detail": {"missing": {"deeper": [{"exists": False}]}}}, True),
    ],
)
def test_operators(pattern: dict[str, Any], expected: bool) -> None:
    assert patterns.matches(patterns.load(json.dumps(pattern)), EC2) is expected


def test_backslash_quotes_a_star() -> None:
    assert patterns.matches({"a": [{"wildcard": "1\\*2*"}]}, {"a": "1*2 and more"})
    assert not patterns.matches({"a": [{"wildcard": "1\\*2*"}]}, {"a": "1x2"})


def test_arrays_match_by_intersection_and_objects_in_them_as_a_whole() -> None:
    event = {"on": ["b", "c"], "items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}], "deep": [["x"], ["y"]]}
    assert patterns.matches({"on": ["c", "d"]}, event)
    assert not patterns.matches({"on": ["d"]}, event)
    assert patterns.matches({"items": {"name": ["b"], "n": [2]}}, event)
    assert not patterns.matches({"items": {"name": ["a"], "n": [2]}}, event)
    assert patterns.matches({"deep": ["y"]}, event)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"source": "aws.ec2"}',
        '{"source": []}',
        '{"source": {}}',
        '{"source": [["a"]]}',
        '{"source": [{"like": "a"}]}',
        '{"source": [{"prefix": "a", "suffix": "b"}]}',
        '{"source": [{"prefix": 1}]}',
        '{"source": [{"numeric": [">"]}]}',
        '{"source": [{"numeric": ["!", 1]}]}',
        '{"source": [{"exists": "yes"}]}',
        '{"source": [{"cidr": "300.0.0.0/8"}]}',
        '{"source": [{"anything-but": {"numeric": ["=", 1]}}]}',
        '{"$or": [{"source": ["a"]}]}',
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(patterns.BadPattern):
        patterns.load(text)


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
events = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(leaves, inner), max_size=3),
    max_leaves=8,
)


@given(events)
def test_an_event_matches_the_pattern_made_of_itself(event: dict[str, Any]) -> None:
    def mirror(value: dict[str, Any]) -> dict[str, Any]:
        return {name: mirror(item) if isinstance(item, dict) else [item] for name, item in value.items()}

    pattern = mirror(event)
    assert patterns.matches(pattern, event)
    assert not patterns.matches({**pattern, "z": ["never"]}, event)
