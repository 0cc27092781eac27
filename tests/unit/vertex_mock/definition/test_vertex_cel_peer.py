"""CEL beside cel-python where precedence decides (no parentheses), and where the two are known to differ.

What cel-python does otherwise is held against the language definition (github.com/google/cel-spec, doc/langdef.md).
"""

from __future__ import annotations

import os
from typing import Any

import celpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml_vertex.mock.pipelines.definition import cel
from cloudml_vertex.mock.pipelines.definition.cel.types import MapType, Message

MANY = 5000 if os.environ.get("CLOUDML_SLOW") else 100
VALUES = {"d": 0.5, "w": 3.0, "s": "it's", "b": True, "l": [1.0, "x"], "m": {"k": 3.0}}
ENVIRONMENT = celpy.Environment()
CONTEXT = {"inputs": celpy.json_to_cel({"parameter_values": VALUES})}
TYPES = {"inputs": Message("inputs", {"parameter_values": MapType("dyn")})}


def p(name: str) -> str:
    return f"inputs.parameter_values['{name}']"


ints = st.sampled_from(
    ["0", "1", "2", "-3", "7", "9223372036854775807", "-9223372036854775808", f"int({p('w')})", "int('5')"]
)
doubles = st.sampled_from(["0.5", "-2.5", "1e3", p("d"), p("w"), "double(7)", "double('0.25')"])
strings = st.sampled_from(
    ["'a'", '"it\'s"', r"'it\'s'", r"r'\n'", "'''a'b'''", r"'\x41\101\u00e9'", p("s"), "string(7)"]
)
bools = st.sampled_from(
    ["true", "false", p("b"), f"'x' in {p('l')}", f"'k' in {p('m')}", f"has({p('m')}.z)", f"!{p('b')}"]
)


def chain(leaves: st.SearchStrategy[str], operators: list[str]) -> st.SearchStrategy[str]:
    """Operands joined without parentheses."""
    joined = st.lists(st.tuples(st.sampled_from(operators), leaves), max_size=3)
    return st.tuples(leaves, joined).map(lambda t: t[0] + "".join(f" {operator} {one}" for operator, one in t[1]))


COMPARED = ["==", "!=", "<", "<=", ">", ">="]
relations = st.one_of(
    *(
        st.tuples(one, st.sampled_from(COMPARED), one).map(" ".join)
        for one in (chain(ints, ["+", "-", "*", "/", "%"]), chain(doubles, ["+", "-", "*"]), chain(strings, ["+"]))
    ),
    bools,
    bools.map(lambda text: f"!({text})"),
)


def outcome_of_cel_python(text: str) -> Any:
    try:
        found = ENVIRONMENT.program(ENVIRONMENT.compile(text)).evaluate(CONTEXT)
    except celpy.CELEvalError:
        return "error"
    return bool(found) if isinstance(found, celpy.celtypes.BoolType) else found


def outcome(text: str) -> Any:
    try:
        node = cel.parse(text)
        cel.check(node, TYPES)
        return cel.evaluate(node, {"inputs": {"parameter_values": VALUES}})
    except cel.CelError:
        return "error"


@settings(max_examples=MANY, deadline=None)
@given(text=chain(relations, ["&&", "||"]))
def test_precedence_is_that_of_cel_python(text: str) -> None:
    assert outcome(text) == outcome_of_cel_python(text), text


@pytest.mark.parametrize(
    ("text", "ours", "theirs", "why"),
    [
        ("string(true) == 'true'", True, False, "string(bool) gives true, not Python's True"),
        ("-1.0 / 0.0 < 0.0", True, False, "IEEE 754: minus one by zero is minus infinity"),
        ("0.0 / 0.0 == 0.0 / 0.0", False, True, "IEEE 754: NaN equals nothing"),
        (f"{p('w')} > 2", "error", True, "no overload takes a double and an int"),
        (f"{p('b')} == 'a'", "error", False, "no overload takes a bool and a string"),
        ("false && 1", "error", False, "the checker finds no overload before anything runs"),
    ],
)
def test_known_differences(text: str, ours: Any, theirs: Any, why: str) -> None:
    assert outcome(text) == ours, why
    assert outcome_of_cel_python(text) == theirs, f"cel-python has changed: {why}"
