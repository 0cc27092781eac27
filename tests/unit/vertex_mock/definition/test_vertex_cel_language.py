"""CEL against the language definition (github.com/google/cel-spec, doc/langdef.md)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cloudml_vertex.mock.pipelines.definition import cel
from cloudml_vertex.mock.pipelines.definition.cel import CelError
from cloudml_vertex.mock.pipelines.definition.cel.types import ListType, MapType, Type

TYPES: dict[str, Type] = {
    "d": "double",
    "s": "string",
    "b": "bool",
    "l": ListType("dyn"),
    "m": MapType("dyn"),
    "x": "dyn",
}
VALUES: dict[str, Any] = {"d": 2.5, "s": "it's", "b": True, "l": [1.0, "a"], "m": {"k": 3.0}, "x": 4.0}


def value(text: str, cross_numbers: bool = False) -> Any:
    """Parse, check, evaluate."""
    node = cel.parse(text)
    cel.check(node, TYPES, cross_numbers)
    return cel.evaluate(node, VALUES, cross_numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a'", "a"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        (r'"say \"a\""', 'say "a"'),
        (r"'\\\n\t\?\`'", "\\\n\t?`"),
        (r"'\x41\u00e9\U0001F600\101'", "Aé😀A"),
        (r"r'\n'", r"\n"),
        (r"r'a\b'", r"a\b"),
        ("'''it's\nhere'''", "it's\nhere"),
        ('"""a"b"""', 'a"b'),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615u", 2**64 - 1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2,]", [1, 2]),
        ("{'a': 1}", {"a": 1}),
    ],
)
def test_literals(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert isinstance(found, type(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 - 1 - 1", 0),
        ("-5 / 2", -2),
        ("-5 % 3", -2),
        ("5 % -3", 2),
        ("7.0 / 2.0", 3.5),
        ("-1.0 / 0.0", -math.inf),
        ("1 < 2 && 2 < 3 || 1 / 0 == 1", True),
        ("true || false && false", True),
        ("!true == false", True),
        ("1 == 2 ? 'a' : 'b'", "b"),
        ("'a' + 'b' == 'ab'", True),
        ("[1] + [2] == [1, 2]", True),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
        ("'b' < 'c' && false < true", True),
        ("'a' in ['b', 'a']", True),
        ("'k' in m", True),
        ("l[1] == 'a' && m.k == m['k']", True),
        ("has(m.k) && !has(m.z)", True),
        ("- -3", 3),
    ],
)
def test_operators(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int(d)", 2),
        ("int(-2.9)", -2),
        ("int('+12')", 12),
        ("double(int(d))", 2.0),
        ("double('1e3')", 1000.0),
        ("string(12)", "12"),
        ("string(true)", "true"),
        ("string(0.5)", "0.5"),
        ("bool('true')", True),
        ("uint(3) + 2u", 5),
        ("size('é😀')", 2),
        ("size(l) == l.size()", True),
        ("s.startsWith('it') && s.endsWith(\"'s\") && s.contains('t')", True),
        ("s.matches('^i.')", True),
        ("matches(s, 'z')", False),
    ],
)
def test_functions(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert isinstance(found, type(expected))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 > 0.5", "no matching overload for '_>_' applied to (int, double)"),
        ("1 == 1.0", "no matching overload for '_==_' applied to (int, double)"),
        ("d > 1", "(double, int)"),
        ("s == 1", "(string, int)"),
        ("d && true", "no matching overload for '_&&_'"),
        ("!d", "no matching overload for '!_'"),
        ("2.5 % 2.0", "no matching overload for '_%_'"),
        ("-'a'", "no matching overload for '-_'"),
        ("int(b)", "no matching overload for 'int' applied to (bool)"),
        ("y == 1", "undeclared reference to 'y'"),
        ("foo(1)", "undeclared reference to 'foo'"),
        ("l.map(x, x)", "undeclared reference to 'map'"),
        ("d.startsWith('a')", "no matching overload for 'startsWith'"),
        ("startsWith(s, 'a')", "undeclared reference to 'startsWith'"),
        ("d.int()", "undeclared reference to 'int'"),
        ("d['a']", "no matching overload for '_[_]'"),
        ("s.k", "has no field 'k'"),
        ("1 in d", "no matching overload for '_in_'"),
        ("d ? 1 : 2", "no matching overload for '_?_:_'"),
        ("b ? 1 : 'a'", "no matching overload for '_?_:_'"),
    ],
)
def test_types_are_known_before_it_runs(text: str, says: str) -> None:
    with pytest.raises(CelError) as raised:
        cel.check(cel.parse(text), TYPES)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "1 +", "(1", "'it's'", "'a", "'a\nb'", r"'\z'", r"'\ud800'", "1..2", "a b", "1 = 1", "a &", "x.1",
        "[1", "{1}",
        "b'a'", "9223372036854775808", "18446744073709551616u", "for", "1x", "has(x)", "'a' 'b'", "in", "?",
        "a ? b", "@",
    ],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(CelError):
        cel.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("-(-9223372036854775808)", "overflow"),
        ("2u - 3u", "overflow"),
        ("int(1e30)", "overflow"),
        ("int('abc')", "type conversion"),
        ("m.nope", "no such key: nope"),
        ("m['nope']", "no such key: nope"),
        ("l[2]", "index out of bounds: 2"),
        ("l[-1]", "index out of bounds"),
        ("x > 1", "no such overload"),
        ("x && true", "no such overload"),
        ("x", None),
        ("l[0] == 'a'", "no such overload"),
        ("s.matches('a(?=b)')", "RE2"),
    ],
)
def test_errors_of_values(text: str, says: str | None) -> None:
    if says is None:
        assert value(text) == 4.0
        return
    with pytest.raises(CelError) as raised:
        value(text)
    assert says in str(raised.value)


@pytest.mark.parametrize("error", ["1 / 0 == 1", "m.nope == 'a'", "x"])
def test_and_and_or_absorb_errors_on_either_side(error: str) -> None:
    for left, right in ((error, "{}"), ("{}", error)):
        assert value(f"{left} && {right}".format("false")) is False
        assert value(f"{left} || {right}".format("true")) is True
        for operator, other in (("&&", "true"), ("||", "false")):
            with pytest.raises(CelError):
                value(f"{left} {operator} {right}".format(other))


def test_numbers_of_different_types_compare_only_when_the_switch_says_so() -> None:
    assert value("x > 1 && 1 < 1.5 && x == 4", cross_numbers=True)
    with pytest.raises(CelError):
        value("1 == 1.0", cross_numbers=True)  # `==` takes two of one type wherever types are known


def test_chains_of_32_operators_are_read() -> None:
    assert value(" && ".join(["b"] * 33)) is True
    assert value(" + ".join(["1"] * 33)) == 33


def test_hostile_expressions_are_refused_and_do_not_break_the_stack() -> None:
    for text in (
        "(" * 5000 + "1" + ")" * 5000,
        "!" * 40_000 + "true",
        "[" * 200 + "]" * 200,
        "!" * 30_000 + "b",
        "1" + " + 1" * 9000,
        "m" + ".k" * 9000,
    ):
        with pytest.raises(CelError):
            cel.parse(text)
