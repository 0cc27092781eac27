"""Type names as the spec writes them: `polars.DataFrame`, `list[float]`, `float | None`. Nothing is imported here."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

UNION = "|"
OPENING, CLOSING = "[(", "])"
TYPING_MODULES = ("typing", "typing_extensions", "collections.abc", "builtins", "types")
PUBLIC_BY_TAIL: dict[tuple[str, str], str] = {
    ("numpy", "NDArray"): "numpy.ndarray",
    ("numpy", "ndarray"): "numpy.ndarray",
    ("pandas", "DataFrame"): "pandas.DataFrame",
    ("pandas", "Series"): "pandas.Series",
    ("pathlib", "Path"): "pathlib.Path",
    ("pathlib", "PosixPath"): "pathlib.Path",
    ("polars", "DataFrame"): "polars.DataFrame",
    ("polars", "LazyFrame"): "polars.LazyFrame",
    ("pyarrow", "Table"): "pyarrow.Table",
    ("cloudml", "Dataset"): "cloudml.Dataset",
    ("cloudml", "File"): "cloudml.File",
    ("cloudml", "Metrics"): "cloudml.Metrics",
    ("cloudml", "Model"): "cloudml.Model",
    ("cloudml", "Report"): "cloudml.Report",
}
ALIASES = {
    "Any": "Any",
    "Dict": "dict",
    "FrozenSet": "frozenset",
    "List": "list",
    "NoneType": "None",
    "Optional": "Optional",
    "Set": "set",
    "Tuple": "tuple",
    "Union": "Union",
}


class TypeName(NamedTuple):
    """A parsed type name: `base` is the public dotted name (or `|`), `args` what stands in its brackets."""

    base: str
    args: tuple[TypeName, ...] = ()

    def __str__(self) -> str:
        if self.base == UNION:
            return " | ".join(str(arg) for arg in self.args)
        return f"{self.base}[{', '.join(str(arg) for arg in self.args)}]" if self.args else self.base


@lru_cache(maxsize=4096)
def parse_type_name(text: str) -> TypeName:
    """`list[int] | None` and its like, in canonical names.

    Raises:
        ValueError: the brackets do not match, or a part is empty.
    """
    text = text.strip()
    members = split_top_level(text, UNION)
    if len(members) > 1:
        return _union(tuple(parse_type_name(member) for member in members))
    bracket = text.find("[")
    if bracket < 0:
        return TypeName(canonical(text))
    if not text.endswith("]"):
        raise ValueError(f"{text!r} is not a type name: a bracket is not closed")
    base = canonical(text[:bracket])
    if base == "Literal":
        return TypeName(base)
    args = tuple(parse_type_name(part) for part in split_top_level(text[bracket + 1 : -1], ","))
    if base == "Annotated":
        return args[0]
    if base == "Optional":
        return _union((*args, TypeName("None")))
    return _union(args) if base == "Union" else TypeName(base, args)


def canonical(name: str) -> str:
    """The public name behind `builtins.float`, `polars.dataframe.frame.DataFrame`, `typing.Dict`, ..."""
    name = name.strip().strip("()").strip()
    if not name:
        raise ValueError("an empty type name")
    top, _, rest = name.partition(".")
    tail = name.rpartition(".")[2]
    public = PUBLIC_BY_TAIL.get((top, tail)) if rest else None
    if public is not None:
        return public
    module = name.rpartition(".")[0]
    if module in TYPING_MODULES:
        return ALIASES.get(tail, tail)
    return ALIASES.get(name, name) if not rest else name


def public_name(cls: type[object]) -> str:
    """The dotted name of a class, in canonical form: `polars.DataFrame`, `float`, `churn.steps.Config`."""
    if cls is type(None):
        return "None"
    return canonical(f"{cls.__module__}.{cls.__qualname__}")


def split_top_level(text: str, separator: str) -> list[str]:
    """`text` cut at the separators that stand outside of all brackets."""
    parts: list[str] = []
    depth = start = 0
    for position, letter in enumerate(text):
        if letter in OPENING:
            depth += 1
        elif letter in CLOSING:
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        if depth < 0:
            break
    if depth != 0:
        raise ValueError(f"{text!r} is not a type name: its brackets do not match")
    return [*parts, text[start:]]


def _union(members: tuple[TypeName, ...]) -> TypeName:
    flat = [leaf for member in members for leaf in (member.args if member.base == UNION else (member,))]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else TypeName(UNION, unique)
