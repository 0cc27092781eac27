"""Tokens of an expression, by the lexical grammar of the language definition (cel-spec, doc/langdef.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.definition.cel.syntax import CelError, Uint

INT_MAX, UINT_MAX = 2**63 - 1, 2**64 - 1

RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while"}
)
"""Words that are no identifiers."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f]+|//[^\n]*)
  | (?P<string>(?:[rR]?[bB]|[bB]?[rR])?(?:\"\"\"|'''|"|'))
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<int>(?:0x[0-9a-fA-F]+|\d+)[uU]?)
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_CODES = (("x", 2, 16), ("X", 2, 16), ("u", 4, 16), ("U", 8, 16))


@dataclass(frozen=True)
class Token:
    """`kind` is "literal", "name", "op" or "end"; `at` counts characters from 0."""

    kind: str
    value: Any
    at: int


def tokens(text: str) -> list[Token]:
    """The tokens of an expression, the last of kind "end". Raises CelError."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise CelError(f"unexpected character {text[at]!r} at {at}")
        kind, start, at = match.lastgroup or "", at, match.end()
        if kind == "string":
            value, at = _string(text, match[0], start, at)
            found.append(Token("literal", value, start))
        elif kind in {"int", "float"}:
            found.append(_number(text, match, start))
        elif kind == "name":
            found.append(_word(match[0], start))
        elif kind == "op":
            found.append(Token("op", match[0], start))
    return [*found, Token("end", "", len(text))]


def _word(word: str, start: int) -> Token:
    constants = {"true": True, "false": False, "null": None}
    if word in constants:
        return Token("literal", constants[word], start)
    if word in RESERVED:
        raise CelError(f"{word!r} at {start} is a reserved word")
    return Token("op", "in", start) if word == "in" else Token("name", word, start)


def _number(text: str, match: re.Match[str], start: int) -> Token:
    written = match[0]
    if re.match(r"[_a-zA-Z0-9]", text[match.end() : match.end() + 1]):
        raise CelError(f"malformed number at {start}")
    if match.lastgroup == "float":
        return Token("literal", float(written), start)
    unsigned = written[-1] in "uU"
    digits = written.rstrip("uU")
    value = int(digits, 16 if digits[:2] == "0x" else 10)
    if value > (UINT_MAX if unsigned else INT_MAX + 1):
        raise CelError(f"{written} at {start} is out of the range of {'uint' if unsigned else 'int'}")
    return Token("literal", Uint(value) if unsigned else value, start)


def _string(text: str, opening: str, start: int, at: int) -> tuple[str, int]:
    """The string that `opening` begins, and where it ends."""
    prefix = opening.rstrip("'\"").lower()
    quote = opening[len(prefix) :]
    if "b" in prefix:
        raise CelError(f"bytes at {start} are not supported in conditions")
    parts: list[str] = []
    while not text.startswith(quote, at):
        if at >= len(text) or (len(quote) == 1 and text[at] in "\r\n"):
            raise CelError(f"the string at {start} does not end")
        if text[at] == "\\" and "r" not in prefix:
            piece, at = _escape(text, at)
            parts.append(piece)
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at + len(quote)


def _escape(text: str, at: int) -> tuple[str, int]:
    kind = text[at + 1 : at + 2]
    if kind in _SIMPLE and kind:
        return _SIMPLE[kind], at + 2
    octal = re.compile(r"[0-3][0-7]{2}").match(text, at + 1)
    if octal is not None:
        return chr(int(octal[0], 8)), octal.end()
    for letter, width, base in _CODES:
        digits = text[at + 2 : at + 2 + width]
        if kind == letter and re.fullmatch(rf"[0-9a-fA-F]{{{width}}}", digits):
            return _character(int(digits, base), at), at + 2 + width
    raise CelError(f"unknown escape {text[at : at + 2]!r} at {at}")


def _character(code: int, at: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise CelError(f"the escape at {at} is no Unicode code point")
    return chr(code)
