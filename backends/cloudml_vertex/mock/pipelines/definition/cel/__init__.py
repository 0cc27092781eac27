"""The part of CEL (Common Expression Language, https://github.com/google/cel-spec) that pipelines use.

`parse` reads an expression, `check` types it, `evaluate` gives its value. What is outside of the part is refused by
name, never guessed.
"""

from cloudml_vertex.mock.pipelines.definition.cel.check import check
from cloudml_vertex.mock.pipelines.definition.cel.evaluate import evaluate
from cloudml_vertex.mock.pipelines.definition.cel.parser import parse
from cloudml_vertex.mock.pipelines.definition.cel.syntax import CelError, Node, Uint

__all__ = ["CelError", "Node", "Uint", "check", "evaluate", "parse"]
