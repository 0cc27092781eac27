"""Opaque references: values known only while the pipeline runs.

They can be passed on, compared, and calculated with; everything that would need the value now is refused on the
author's line, with the form that works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from cloudml.authoring.context import Build, stale
from cloudml.authoring.location import caller
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml import spec

_TEXT_HINT = (
    "pass it on as an argument: ml.notify(TEAM, 'AUC {auc}', auc=score.auc) for a message, "
    "a parameter of the step's function for anything else"
)
_TRUTH_HINTS = (
    (
        re.compile(r"^(if|elif|while)\b|\bif\b.+\belse\b"),
        "write `with ml.when(score.auc >= min_auc):` and put the steps inside",
    ),
    (re.compile(r"^assert\b"), "write `with ml.when(...)` with `ml.fail('why')` in its `.otherwise()`"),
    (re.compile(r"\band\b"), "write `a & b` with each comparison in parentheses, or `ml.when(a, b)`"),
    (re.compile(r"\bor\b"), "write `a | b` with each comparison in parentheses"),
    (re.compile(r"\bnot\b"), "write `~(a >= b)`"),
    (re.compile(r"[<>]=?.*[<>]"), "write a chained comparison as two: `(low <= x) & (x < high)`"),
)
_TRUTH_DEFAULT = "write `with ml.when(condition):`; join conditions with `&`, `|`, `~`"
_NUMBER_HINT = "calculate with + - * / only, or do it inside a step's function, where the value is there"
_LOOP_HINT = "write `with ml.map(items) as item:` and call the steps inside"


def _truth_hint() -> str:
    line = caller().source
    return next((hint for pattern, hint in _TRUTH_HINTS if pattern.search(line)), _TRUTH_DEFAULT)


def _refuse_number(self: Reference, *_: Any) -> NoReturn:
    raise refusal("CML105", f"{self._label} has no number yet: it is known only while the pipeline runs", _NUMBER_HINT)


def _refuse_loop(self: Reference, *_: Any) -> NoReturn:
    raise refusal(
        "CML105", f"{self._label} has no length or items yet: they are known only while the pipeline runs", _LOOP_HINT
    )


class Operand:
    """What comparisons and arithmetic are made of. `_label` names it in messages."""

    __slots__ = ()
    __array_ufunc__ = None  # numpy then leaves `np.float64(1) - ref` to us
    _label: str

    def __str__(self) -> str:
        raise refusal("CML103", f"{self._label} is not text: it is known only while the pipeline runs", _TEXT_HINT)

    def __format__(self, _: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<{self._label}>"

    def __bool__(self) -> bool:
        message = f"{self._label} is neither true nor false yet: it is known only while the pipeline runs"
        raise refusal("CML104", message, _truth_hint())


class Condition(Operand):
    """A comparison, or several joined with `&`, `|`, `~`."""

    __slots__ = ("_op", "_parts")
    _label = "a condition"

    def __init__(self, op: str, *parts: Any) -> None:
        self._op = op
        self._parts = parts

    def __and__(self, other: Any) -> Condition:
        return Condition("all", self, _condition(other, "&"))

    def __or__(self, other: Any) -> Condition:
        return Condition("any", self, _condition(other, "|"))

    def __invert__(self) -> Condition:
        return Condition("not", self)

    __rand__ = __and__
    __ror__ = __or__

    def node(self, build: Build) -> spec.Comparison | spec.AllOf | spec.AnyOf | spec.Not:
        """The spec's form. Checks that each reference is known where the condition stands."""
        from cloudml import spec
        from cloudml.authoring.literals import value

        if self._op == "not":
            return spec.Not(condition=self._parts[0].node(build))
        if self._op in ("all", "any"):
            joined = spec.AllOf if self._op == "all" else spec.AnyOf
            return joined(conditions=tuple(leaf.node(build) for leaf in self._flat()))
        left, right = self._parts
        return spec.Comparison.model_validate(
            {"op": self._op, "left": value(left, build, "a condition"), "right": value(right, build, "a condition")}
        )

    def _flat(self) -> list[Condition]:
        """`a & b & c` as one list of three; iterative, for it may be long."""
        found: list[Condition] = []
        stack: list[Condition] = [self]
        while stack:
            one = stack.pop()
            if one._op == self._op:
                stack.extend(reversed(one._parts))
            else:
                found.append(one)
        return found


def _condition(value: Any, operator: str) -> Condition:
    if isinstance(value, Condition):
        return value
    message = f"`{operator}` joins conditions, and this is {described(value)}"
    raise refusal("CML125", message, f"put each comparison in parentheses: `(a >= 1) {operator} (b < 2)`")


def described(value: Any) -> str:
    """A value for a message: the label of a reference, or a literal shortened."""
    if isinstance(value, Operand):
        return value._label
    text = repr(value)
    text = text if len(text) <= 40 else f"{text[:37]}..."
    return f"{text} ({type(value).__name__})"


class Reference(Operand):
    """A typed value of the run. `_build` is the build it belongs to; None for those that belong to none."""

    __slots__ = ("__weakref__",)
    _build: Build | None = None
    _type: str = "Any"
    _fields: ClassVar[str] = ""

    def node(self, build: Build) -> spec.Value:
        """The spec's form. Refuses a reference of another build, or one that is not known here."""
        raise NotImplementedError

    def _owned(self, build: Build) -> None:
        if self._build is not None and self._build is not build:
            raise stale(self._label)

    # Comparisons give conditions -----------------------------------------------------------------------------------
    def __lt__(self, other: Any) -> Condition:
        return self._compare("lt", other)

    def __le__(self, other: Any) -> Condition:
        return self._compare("le", other)

    def __gt__(self, other: Any) -> Condition:
        return self._compare("gt", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compare("ge", other)

    def __eq__(self, other: object) -> Any:
        return self._compare("eq", other)

    def __ne__(self, other: object) -> Any:
        return self._compare("ne", other)

    __hash__ = object.__hash__

    def is_in(self, values: Any) -> Condition:
        """True when the value is one of `values`: a list of literals, or a reference to a list."""
        if not isinstance(values, (list, tuple, set, frozenset, Reference)):
            raise refusal("CML125", f"is_in takes a list, not {described(values)}", "write ref.is_in(['a', 'b'])")
        return self._compare("in", sorted(values) if isinstance(values, (set, frozenset)) else values)

    def _compare(self, op: str, other: Any) -> Condition:
        self._comparable()
        if isinstance(other, Reference):
            other._comparable(listed=op == "in")
        elif isinstance(other, Condition):
            raise refusal("CML125", f"{self._label} is compared with a condition", "join conditions with `&` and `|`")
        return Condition(op, self, other)

    def _comparable(self, *, listed: bool = False) -> None:
        from cloudml.spec import types

        if not types.is_comparable(self._type) and not (listed and types.is_list(self._type)):
            message = f"{self._label} is a {self._type}, which cannot be compared or calculated with"
            raise refusal("CML125", message, self._scalar_hint())

    def _scalar_hint(self) -> str:
        return (
            "compare a number, text or truth value; return it from the step's function, for example in a class "
            "of ml.Metrics"
        )

    # Arithmetic gives a reference ----------------------------------------------------------------------------------
    def __add__(self, other: Any) -> Reference:
        return self._calculate("add", self, other)

    def __radd__(self, other: Any) -> Reference:
        return self._calculate("add", other, self)

    def __sub__(self, other: Any) -> Reference:
        return self._calculate("sub", self, other)

    def __rsub__(self, other: Any) -> Reference:
        return self._calculate("sub", other, self)

    def __mul__(self, other: Any) -> Reference:
        return self._calculate("mul", self, other)

    def __rmul__(self, other: Any) -> Reference:
        return self._calculate("mul", other, self)

    def __truediv__(self, other: Any) -> Reference:
        return self._calculate("div", self, other)

    def __rtruediv__(self, other: Any) -> Reference:
        return self._calculate("div", other, self)

    def __neg__(self) -> Reference:
        return self._calculate("mul", self, -1)

    def __pos__(self) -> Reference:
        return self._calculate("mul", self, 1)

    def _calculate(self, op: str, left: Any, right: Any) -> Reference:
        for side in (left, right):
            if isinstance(side, Reference):
                side._numeric()
            elif isinstance(side, bool) or not _is_number(side):
                message = f"{self._label} can be calculated with numbers only, not with {described(side)}"
                raise refusal("CML105", message, _TEXT_HINT if isinstance(side, str) else _NUMBER_HINT)
        return Calculation(op, left, right)

    def _numeric(self) -> None:
        if self._type in ("str", "bool", "pathlib.Path"):
            raise refusal("CML105", f"{self._label} is a {self._type}, not a number", _NUMBER_HINT)
        self._comparable()

    # What needs the value now is refused ---------------------------------------------------------------------------
    __int__ = __float__ = __index__ = __complex__ = __abs__ = __round__ = __trunc__ = __floor__ = __ceil__ = (
        _refuse_number
    )
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __pow__ = __rpow__ = __divmod__ = __rdivmod__ = _refuse_number
    __matmul__ = __rmatmul__ = __lshift__ = __rshift__ = _refuse_number
    __iter__ = __len__ = __contains__ = __reversed__ = _refuse_loop

    def __and__(self, other: Any) -> NoReturn:
        raise refusal("CML125", f"`&` and `|` join conditions, and {self._label} is none", _PARENTHESES)

    __or__ = __rand__ = __ror__ = __xor__ = __rxor__ = __and__

    def __invert__(self) -> NoReturn:
        raise refusal(
            "CML125", f"`~` turns a condition round, and {self._label} is none", "write `~(ref >= 1)` or `ref == False`"
        )

    def __getitem__(self, key: Any) -> Reference:
        raise refusal("CML106", f"{self._label} has no members", self._scalar_hint())

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise refusal("CML105", f"{self._label} is a value of the run, not a function", "pass it to a step's function")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        hint = (
            "a value of the run can be compared, calculated with, and passed to steps; work on it inside a "
            "step's function"
        )
        raise refusal("CML106", f"{self._label} has no attribute {name!r}", hint)


_PARENTHESES = "put each comparison in parentheses: `(a >= 1) & (b < 2)`"


def _is_number(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return True
    item = getattr(value, "item", None)  # numpy's scalars
    return callable(item) and not getattr(value, "shape", ()) and isinstance(item(), (int, float))


def _is_whole(side: Any) -> bool:
    """Whether an operand is an int, now or when the pipeline runs; as in Python, int and int give int but for `/`."""
    return side._type == "int" if isinstance(side, Reference) else isinstance(side, int)


class Calculation(Reference):
    """`left op right`."""

    __slots__ = ("_left", "_op", "_right", "_type")
    _label = "a calculated value"

    def __init__(self, op: str, left: Any, right: Any) -> None:
        self._op, self._left, self._right = op, left, right
        whole = op != "div" and all(_is_whole(side) for side in (left, right))
        self._type = "int" if whole else "float"

    def node(self, build: Build) -> spec.Arithmetic:
        from cloudml import spec
        from cloudml.authoring.literals import value

        sides = {"left": value(self._left, build, "a calculation"), "right": value(self._right, build, "a calculation")}
        return spec.Arithmetic.model_validate({"op": self._op, **sides})


class Simple(Reference):
    """A reference that is one spec node of its own: a parameter, a secret, a fact of the run, a model."""

    __slots__ = ("_build", "_fields_", "_kind", "_label", "_type")

    def __init__(self, kind: str, label: str, type_name: str, build: Build | None = None, **fields: Any) -> None:
        self._kind, self._label, self._type, self._build, self._fields_ = kind, label, type_name, build, fields

    def node(self, build: Build) -> spec.Value:
        from cloudml import spec
        from cloudml.authoring.refusal import make

        self._owned(build)
        made: spec.Value = make(getattr(spec, self._kind), None, self._label, **self._fields_)
        return made
