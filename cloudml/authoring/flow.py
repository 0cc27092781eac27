"""Blocks: when, map, group, on_exit; and collect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cloudml.authoring.context import Block, BlockKind, Build, Container, current
from cloudml.authoring.literals import value
from cloudml.authoring.location import Location, caller
from cloudml.authoring.outputs import ItemReference, OutputReference, as_output
from cloudml.authoring.references import Condition, Reference, described
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml import spec


class BlockHandle:
    """A block of steps; `after=[block]` waits for all of it."""

    def __init__(self, build: Build, step: str) -> None:
        self._build, self._step = build, step

    def __repr__(self) -> str:
        return f"<block {self._step!r}>"


def _open(
    build: Build,
    node: type[spec.BaseStep],
    prefix: str,
    name: str | None,
    after: Any,
    blocks: tuple[str, BlockKind],
    where: Location,
    /,
    **fields: Any,
) -> tuple[str, Container, Block]:
    """Add a container to the open block, and give its first own block."""
    step = name or build.fresh(prefix)
    waits = build.after(step, after, where)
    build.claim(step, where, f"name one of them: ml.{prefix}(..., name='{step}_2')")
    field, kind = blocks
    block = Block(kind, step, build.block)
    container = Container(node, where, {"name": step, "after": waits, **fields}, {field: block})
    build.add(container)
    return step, container, block


def _refuse_empty(block: Block, what: str, where: Location) -> None:
    if not block.steps:
        raise refusal(
            "CML124", f"{what} {block.owner!r} has no steps", "call at least one step inside the `with` block", where
        )


class When(BlockHandle):
    """Steps that run when conditions hold. `with gate.otherwise():` after it holds the steps for when they do not."""

    def __init__(self, build: Build, step: str, container: Container, block: Block) -> None:
        super().__init__(build, step)
        self._container, self._block = container, block
        self._stack = ExitStack()
        self._entered = False

    def __enter__(self) -> When:
        if self._entered:
            message = f"the branch {self._step!r} is opened twice"
            raise refusal("CML124", message, "write `with gate.otherwise():` for the other branch, or a second ml.when")
        self._entered = True
        self._stack.enter_context(self._build.inside(self._block))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def otherwise(self) -> AbstractContextManager[None]:
        """The steps for when the conditions do not hold."""
        where = caller()
        if "otherwise" in self._container.blocks:
            raise refusal(
                "CML124", f"{self._step!r} has an otherwise branch already", "put all its steps into one", where
            )
        if self._build.block is not self._block.parent:
            message = (
                f"the otherwise branch of {self._step!r} must stand beside its `with ml.when`, not inside another block"
            )
            raise refusal("CML124", message, "write it at the same indentation, after the `with` block", where)
        block = Block("otherwise", self._step, self._block.parent)
        self._container.blocks["otherwise"] = block
        return self._build.inside(block)


def when(*conditions: Any, name: str | None = None, after: Any = ()) -> When:
    """`with ml.when(score.auc >= min_auc, score.gap < 0.1) as gate:` runs its steps when all the conditions hold."""
    from cloudml import spec

    build, where = current("ml.when"), caller()
    if not conditions:
        raise refusal(
            "CML125", "ml.when has no condition", "write for example `with ml.when(score.auc >= min_auc):`", where
        )
    joined = [_condition(one, where) for one in conditions]
    whole = joined[0] if len(joined) == 1 else Condition("all", *joined)
    step, container, block = _open(
        build, spec.ConditionStep, "when", name, after, ("then", "then"), where, condition=whole.node(build)
    )
    return When(build, step, container, block)


def _condition(given: Any, where: Location) -> Condition:
    if isinstance(given, Condition):
        return given
    if isinstance(given, Reference):
        one = as_output(given)
        if one._type in ("bool", "Any"):
            return Condition("eq", one, True)
        raise refusal(
            "CML125",
            f"ml.when takes conditions, and {one._label} is {one._type}",
            "compare it: `score.auc >= 0.8`",
            where,
        )
    message = f"ml.when takes conditions, and this is {described(given)}, known before the run"
    raise refusal(
        "CML125", message, "compare an output or a parameter; decide what is known now with a plain `if`", where
    )


@contextmanager
def map(  # noqa: A001 - used as ml.map
    items: Any, *, parallel: int | None = None, name: str | None = None, after: Any = ()
) -> Iterator[Any]:
    """`with ml.map(regions, parallel=4) as region:` runs its steps once for each item of a list."""
    from cloudml import spec
    from cloudml.spec import types

    build, where = current("ml.map"), caller()
    kind = _items_type(items, where)
    step, _, block = _open(
        build,
        spec.MapStep,
        "map",
        name,
        after,
        ("body", "map"),
        where,
        items=value(items, build, "ml.map"),
        parallel=parallel,
    )
    _refuse_nesting(build, step, where)
    with build.inside(block):
        yield ItemReference(build, step, types.element(kind))
    _refuse_empty(block, "the map", where)


def _items_type(items: Any, where: Location) -> str:
    from cloudml.spec import types

    if isinstance(items, Reference):
        one = as_output(items)
        if types.is_list(one._type):
            return str(one._type)
        raise refusal(
            "CML123",
            f"ml.map goes over a list, and {one._label} is {one._type}",
            "return a list from the step, or declare ml.Param[list]",
            where,
        )
    if not isinstance(items, (list, tuple)):
        raise refusal("CML123", f"ml.map goes over a list, not {described(items)}", "write ml.map(['eu', 'us'])", where)
    if not items:
        raise refusal("CML123", "ml.map goes over an empty list", "give it at least one item", where)
    kinds = {type(item).__name__ for item in items}
    return f"list[{kinds.pop()}]" if len(kinds) == 1 else "list"


def _refuse_nesting(build: Build, step: str, where: Location) -> None:
    if build.block.within("finally") is not None:
        raise refusal(
            "CML113", f"the map {step!r} stands in an on_exit block", "an on_exit block holds plain steps only", where
        )


def collect(output: Any) -> Any:
    """The list of an output over all items of the map in which its step lies, in the order of the items."""
    build = current("ml.collect")
    one = as_output(output)
    if not isinstance(one, OutputReference):
        raise refusal(
            "CML123", f"ml.collect takes an output of a step, not {described(output)}", "write ml.collect(score.auc)"
        )
    one._owned(build)
    home = one._block.solid()
    if home.kind != "map":
        message = f"{one._label} is not made once an item, so there is nothing to collect"
        if one._block.within("map") is not None:
            message = f"{one._label} lies in a branch inside the map, and may be missing for some items"
        raise refusal("CML113", message, "collect the output of a step that stands directly in a map's block")
    if build.block.within("map") is home:
        raise refusal(
            "CML113", f"{one._label} is collected inside its own map", "write ml.collect after the `with` block"
        )
    return OutputReference(build, one._step, one._port, one._field, collected=True)


@contextmanager
def group(name: str | None = None, *, after: Any = ()) -> Iterator[BlockHandle]:
    """Steps that share one job on a cloud. Nothing else changes: their outputs are known everywhere."""
    from cloudml import spec

    build, where = current("ml.group"), caller()
    step, _, block = _open(build, spec.GroupStep, "group", name, after, ("body", "group"), where)
    with build.inside(block):
        yield BlockHandle(build, step)
    _refuse_empty(block, "the group", where)


@contextmanager
def on_exit(name: str | None = None) -> Iterator[BlockHandle]:
    """Steps that run when all else has ended, whatever the outcome."""
    from cloudml import spec

    build, where = current("ml.on_exit"), caller()
    if build.block is not build.root:
        message = "an on_exit block stands inside another block"
        raise refusal("CML113", message, "move it to the top of the pipeline's function", where)
    step, _, block = _open(build, spec.FinallyStep, "on_exit", name, (), ("body", "finally"), where)
    with build.inside(block):
        yield BlockHandle(build, step)
    _refuse_empty(block, "the on_exit block", where)
