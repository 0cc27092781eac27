"""Text to tokens (cel-spec, "Syntax" and "String and Bytes Values")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudml_vertex.mock.cel.errors import CelSyntaxError

_TOKEN = re.compile(
    r"""[\t\n\f\r ]+|//[^\n]*|(?P<double>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))"""
    r"""|(?P<uint>(?:0[xX][0-9a-fA-F]+|\d+)[uU])|(?P<int>0[xX][0-9a-fA-F]+|\d+)"""
    r'''|(?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\''''
    r"""|"(?:\\.|[^\\"\n\r])*"|'(?:\\.|[^\\'\n\r])*'))"""
    r"""|(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>()\[\]{}.,:?])""",
    re.DOTALL,
)
_RAW = re.compile(
    r'''([rR])("""(?P<a>.*?)"""|\'\'\'(?P<b>.*?)\'\'\'|"(?P<c>[^"\n\r]*)"|'(?P<d>[^'\n\r]*)')''', re.DOTALL
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.?))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
LONGEST = 64 * 1024
RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Token:
    """`kind`: int, uint, double, string, name, sign or end; `text` is a string's value."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """All of them, and an end. Raises CelSyntaxError."""
    if len(text) > LONGEST:
        raise CelSyntaxError(f"the expression is longer than {LONGEST} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        token, at = _next(text, at)
        if token is not None:
            found.append(token)
    return [*found, Token("end", "", len(text))]


def _next(text: str, at: int) -> tuple[Token | None, int]:
    raw = _RAW.match(text, at)
    if raw is not None:
        value = next(raw[name] for name in "abcd" if raw[name] is not None)
        return Token("string", value, at), raw.end()
    match = _TOKEN.match(text, at)
    if match is None:
        raise CelSyntaxError(f"unexpected {text[at : at + 10]!r} at character {at + 1}")
    kind = match.lastgroup
    if kind is None:
        return None, match.end()
    value = match[kind]
    if kind == "string":
        value = _string(value, at)
    if kind == "name" and value in RESERVED:
        raise CelSyntaxError(f"{value!r} at character {at + 1} is a reserved word")
    return Token(kind, value, at), match.end()


def _string(text: str, at: int) -> str:
    if text[0] not in "\"'":  # raw strings were taken before
        raise CelSyntaxError(f"bytes at character {at + 1} are not served")
    quotes = 3 if text[:3] in {'"""', "'''"} else 1
    inner = text[quotes:-quotes]
    return _ESCAPE.sub(lambda match: _unescaped(match, at), inner)


def _unescaped(match: re.Match[str], at: int) -> str:
    plain, hex2, hex4, hex8, octal, wrong = match.groups()
    if plain is not None:
        return _SIMPLE.get(plain, plain)
    if wrong is not None:
        raise CelSyntaxError(f"the string at character {at + 1} has an unknown escape {match[0]!r}")
    number = int(octal, 8) if octal is not None else int(hex2 or hex4 or hex8, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise CelSyntaxError(f"the string at character {at + 1} has an escape that is no character: {match[0]!r}")
    return chr(number)
