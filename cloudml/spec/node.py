"""The base of every node of the neutral model, and the constrained strings they share."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler

SPEC_VERSION = "1"
"""Version of the document format. A reader refuses a document of another major version."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
"""A name that every backend can map to one of its own: a letter, then 62 letters, digits, `_`, `-` at most."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""A Python identifier: the name of an argument, an output or a metric."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Node(BaseModel):
    """A frozen, closed piece of the document: unknown fields are refused, collections are tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Fields are described by the strings below them, read from the source only when a schema is made."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for base in cls.__mro__:
            if issubclass(base, Node):
                for name, text in _attribute_docstrings(base).items():
                    properties.get(name, {}).setdefault("description", text)
        return schema


class Tag(Node):
    """A label that a backend attaches to what it creates."""

    key: Name
    value: Annotated[str, Field(max_length=256)]


class NativeOption(Node):
    """An escape hatch: a fragment merged last into the provider's own document, listed as not portable."""

    backend: Name
    document: dict[str, object]


@cache
def _attribute_docstrings(cls: type) -> dict[str, str]:
    """The string literals below the fields of a class, by field."""
    import ast
    import inspect
    import textwrap

    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
        if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
