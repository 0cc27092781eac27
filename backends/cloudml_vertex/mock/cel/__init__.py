"""Conditions of pipelines: the Common Expression Language as far as they use it, parsed and typed, never guessed.

Source: the language definition of github.com/google/cel-spec. What it has and this has not is refused by name.
"""

from __future__ import annotations

from cloudml_vertex.mock.cel.checking import check
from cloudml_vertex.mock.cel.errors import CelError, CelSyntaxError, CelTypeError
from cloudml_vertex.mock.cel.evaluating import evaluate
from cloudml_vertex.mock.cel.parsing import parse

__all__ = ["CelError", "CelSyntaxError", "CelTypeError", "check", "evaluate", "parse"]
