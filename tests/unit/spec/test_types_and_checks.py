"""Types by name, cron, durations, messages: small tables with expectations from documentation."""

from __future__ import annotations

import json

import pytest

from cloudml.errors import SpecError
from cloudml.spec import cron_problem, from_dict, from_yaml, json_schema, message_problem, timezone_problem, types


@pytest.mark.parametrize(
    ("producer", "consumer", "fits"),
    [
        ("int", "float", True),
        ("float", "int", False),
        ("str", "str | None", True),
        ("str | None", "str", False),
        ("list[int]", "list[float]", True),
        ("list[str]", "list[int]", False),
        ("polars.DataFrame", "pandas.DataFrame", True),
        ("numpy.ndarray", "polars.DataFrame", False),
        ("cloudml.Model", "cloudml.Dataset", False),
        ("dict[str, int]", "dict", True),
        ("int", "Any", True),
        ("churn.Config", "churn.Config", True),
        ("broken[", "int", False),
    ],
)
def test_accepts(producer: str, consumer: str, fits: bool) -> None:
    assert types.accepts(producer, consumer) is fits


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        (1, "float", True),
        (True, "int", False),
        (True, "bool", True),
        (1.5, "int", False),
        ([1, 2], "list[int]", True),
        ([1, "a"], "list[int]", False),
        ({"a": 1}, "dict[str, float]", True),
        ({"a": "b"}, "dict[str, float]", False),
        ([1, "a"], "tuple[int, str]", True),
        ([1], "tuple[int, str]", False),
        ([1, 2, 3], "tuple[int, ...]", True),
        (None, "int | None", True),
        (None, "int", False),
        ("a/b", "pathlib.Path", True),
        ({"deep": [1, None]}, "Any", True),
        (1, "polars.DataFrame", False),
    ],
)
def test_fits(value: object, kind: str, fits: bool) -> None:
    assert types.fits(value, kind) is fits


@pytest.mark.parametrize(
    "expression",
    ["* * * * *", "*/15 0-6 1,15 JAN-MAR mon-fri", "0 2 * * 7", "59 23 31 12 *", "0 0 29 2 *", "0 0 31 2 MON"],
)
def test_legal_cron(expression: str) -> None:
    assert cron_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "fragment"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "no minute"),
        ("* 24 * * *", "no hour"),
        ("* * 0 * *", "no day of month"),
        ("* * * 13 *", "no month"),
        ("* * * * 8", "no day of week"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "step"),
        ("* * * FOO *", "no month"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("@daily", "1 fields"),
    ],
)
def test_illegal_cron(expression: str, fragment: str) -> None:
    assert fragment in (cron_problem(expression) or "")


def test_time_zones() -> None:
    assert timezone_problem("Europe/Prague") is None
    assert "Mars" in (timezone_problem("Mars/Base") or "")
    assert timezone_problem("../etc/passwd") is not None


@pytest.mark.parametrize(
    ("message", "given", "fragment"),
    [
        ("AUC {auc:.3f}", ["auc"], ""),
        ("no braces {{}}", [], ""),
        ("{auc}", [], "{auc}"),
        ("x", ["auc"], "'auc' is given"),
        ("{", [], "cannot be filled in"),
        ("{0}", [], "no name"),
        ("{a.b}", ["a"], "no name"),
    ],
)
def test_messages(message: str, given: list[str], fragment: str) -> None:
    problem = message_problem(message, given)
    assert (problem is None) if not fragment else (problem is not None and fragment in problem)


@pytest.mark.parametrize(
    ("text", "code", "fragment"),
    [
        ("- a", "CML201", "not list"),
        ("{spec_version: '2', name: p}", "CML202", "'2'"),
        ("{name: p}", "CML202", "None"),
        ("{spec_version: '1', name: p, name: q}", "CML203", "occurs twice"),
        ("{spec_version: '1', name: p", "CML203", "not readable"),
        ("{spec_version: '1', name: 1p}", "CML201", "pattern"),
        ("{spec_version: '1', name: p, stepz: []}", "CML201", "Extra inputs"),
        ("{spec_version: '1', name: p, steps: [{kind: magic, name: a}]}", "CML201", "magic"),
        ("{spec_version: '1', name: p, parameters: [{name: a, type: float, default: .nan}]}", "CML201", "finite"),
    ],
)
def test_documents_refused(text: str, code: str, fragment: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_yaml(text, "p.yaml")
    (finding,) = caught.value.diagnostics
    assert finding.code == code
    assert fragment in finding.message
    assert finding.where.startswith("p.yaml")


@pytest.mark.parametrize("text", ["[" * 300_000, "{a: " * 300_000, "- " * 300_000, "? " * 300_000], ids="[{-?")
def test_deep_nesting_is_refused_and_kills_nobody(text: str) -> None:
    with pytest.raises(SpecError, match="levels deep"):
        from_yaml(text)


def test_every_wrong_field_is_reported() -> None:
    with pytest.raises(SpecError) as caught:
        from_dict({"spec_version": "1", "name": "p", "max_parallel": 0, "timeout": -1})
    assert len(caught.value.diagnostics) == 2


def test_schema_agrees_with_the_reader() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(json_schema())))
    good = {"spec_version": "1", "name": "p", "steps": [{"kind": "fail", "name": "f", "message": "x"}]}
    assert validator.is_valid(good)
    from_dict(good)
    for wrong in ({**good, "name": "1"}, {**good, "more": 1}, {**good, "steps": [{"kind": "fail", "name": "f"}]}):
        assert not validator.is_valid(wrong)
        with pytest.raises(SpecError):
            from_dict(wrong)
