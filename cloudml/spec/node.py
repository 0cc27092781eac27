"""The base of every node of the neutral model, and the constrained strings they share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, use_attribute_docstrings=True)


class Tag(Node):
    """A label that a backend attaches to what it creates."""

    key: Name
    value: Annotated[str, Field(max_length=256)]


class NativeOption(Node):
    """An escape hatch: a fragment merged last into the provider's own document, listed as not portable."""

    backend: Name
    document: dict[str, object]
