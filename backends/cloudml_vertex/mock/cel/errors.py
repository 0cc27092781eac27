"""What can be wrong with an expression."""

from __future__ import annotations


class CelSyntaxError(ValueError):
    """It is no expression, or one that is not served; the text says where."""


class CelTypeError(ValueError):
    """It can be seen without running it that an operator or function has no overload for its operands."""


class CelError(Exception):
    """An error while it is evaluated: no such key, no matching overload, division by zero, overflow..."""
