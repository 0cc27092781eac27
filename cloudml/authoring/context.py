"""What a build gathers. It lives in a ContextVar only while `build()` runs the author's function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cloudml.authoring.location import Location
from cloudml.authoring.refusal import did_you_mean, make, refusal

if TYPE_CHECKING:
    from cloudml.spec import Alert, BaseStep, Endpoint, Monitor, Port

BlockKind: TypeAlias = Literal["pipeline", "then", "otherwise", "map", "group", "finally"]


@dataclass(eq=False)
class Block:
    """A run of steps: the pipeline's own, or one inside a container."""

    kind: BlockKind
    owner: str = ""
    parent: Block | None = None
    steps: list[BaseStep | Container] = field(default_factory=list)

    def solid(self) -> Block:
        """The block itself, or what is around it: a group shares a machine and hides nothing."""
        block = self
        while block.kind == "group" and block.parent is not None:
            block = block.parent
        return block

    def inside(self, other: Block) -> bool:
        """Whether what is defined in `other` is known here."""
        target = other.solid()
        block: Block | None = self
        while block is not None:
            if block.solid() is target:
                return True
            block = block.parent
        return False

    def within(self, kind: BlockKind) -> Block | None:
        """The nearest block of a kind that this one is or lies in."""
        block: Block | None = self
        while block is not None and block.kind != kind:
            block = block.parent
        return block


@dataclass(eq=False)
class Container:
    """A step that holds steps; its node is made when the build ends, for an `otherwise` may still come."""

    node: type[BaseStep]
    where: Location
    fields: dict[str, Any]
    blocks: dict[str, Block]

    def finish(self) -> BaseStep:
        bodies = {name: finish(block) for name, block in self.blocks.items()}
        return make(self.node, self.where, f"step {self.fields['name']!r}", **self.fields, **bodies)


def finish(block: Block) -> tuple[BaseStep, ...]:
    """The nodes of a block."""
    return tuple(step.finish() if isinstance(step, Container) else step for step in block.steps)


@dataclass(eq=False)
class Build:
    """One build of one pipeline."""

    pipeline: str
    root: Block = field(default_factory=lambda: Block("pipeline"))
    names: dict[str, Location] = field(default_factory=dict)
    places: dict[str, Block] = field(default_factory=dict)
    ports: dict[str, tuple[Port, ...]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    monitors: dict[str, Monitor] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    declared: dict[tuple[str, str], Location] = field(default_factory=dict)
    pending: list[tuple[str, str, Location]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    block: Block = field(init=False)

    def __post_init__(self) -> None:
        self.block = self.root

    def fresh(self, prefix: str) -> str:
        """`when_1`, `when_2`, …"""
        self.counts[prefix] += 1
        return f"{prefix}_{self.counts[prefix]}"

    def claim(self, name: str, where: Location, remedy: str) -> None:
        """Take a step name. Refuses one that is taken, naming both lines."""
        first = self.names.get(name)
        if first is not None:
            message = f"the step name {name!r} is already taken by the step on {first}"
            raise refusal("CML111", message, remedy, where)
        self.names[name] = where
        self.places[name] = self.block

    def add(self, step: BaseStep | Container) -> None:
        """Append to the block that is open."""
        self.block.steps.append(step)

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Steps go into `block` while this is open."""
        before, self.block = self.block, block
        try:
            yield
        finally:
            self.block = before

    def declare(self, table: Literal["endpoints", "monitors", "alerts"], node: Any, where: Location) -> str:
        """Put a named resource into the pipeline; the same name must always mean the same thing."""
        known = getattr(self, table)
        noun = table[:-1]
        if known.setdefault(node.name, node) != node:
            first = self.declared[table, node.name]
            message = f"{noun} {node.name!r} is not the {noun} of that name used on {first}: their settings differ"
            raise refusal(
                "CML117", message, "define it once and use that object, or give the second a name of its own", where
            )
        self.declared.setdefault((table, node.name), where)
        return str(node.name)

    def after(self, owner: str, steps: Any, where: Location) -> tuple[str, ...]:
        """Names of steps to wait for, given as handles, blocks or names (also of steps still to come)."""
        given: Iterable[Any] = (
            (steps,) if isinstance(steps, str) or not isinstance(steps, (list, tuple, set)) else steps
        )
        names = [self._name(one, where) for one in given]
        self.pending.extend((owner, name, where) for name in names)
        return tuple(dict.fromkeys(names))

    def _name(self, one: Any, where: Location) -> str:
        name = one if isinstance(one, str) else getattr(one, "_step", None)
        if not isinstance(name, str):
            message = f"after takes steps, not {type(one).__name__}"
            raise refusal("CML126", message, "write after=[first, second] with what the steps' calls returned", where)
        if getattr(one, "_build", self) is not self:
            raise stale(f"step {name!r}", where)
        return name

    def check_pending(self) -> None:
        """Refuse `after` names that no step bears."""
        for owner, name, where in self.pending:
            if name not in self.names:
                message = f"step {owner!r} is to run after {name!r}, and no step has that name"
                raise refusal("CML126", message, did_you_mean(name, self.names), where)


def stale(what: str, where: Location | None = None) -> Exception:
    """A handle that outlived its build."""
    message = f"{what} belongs to another build of a pipeline and means nothing in this one"
    return refusal("CML114", message, "call the step inside this pipeline and use what that call returns", where)


_CURRENT: ContextVar[Build | None] = ContextVar("cloudml_build", default=None)


def active() -> Build | None:
    """The build that is going on, if one is."""
    return _CURRENT.get()


def current(verb: str) -> Build:
    """The build that is going on. Refuses a verb outside of one."""
    build = _CURRENT.get()
    if build is None:
        message = f"{verb} means something only inside a function decorated with @ml.pipeline, while it is built"
        raise refusal(
            "CML115", message, "move the call into the pipeline's function; `cloudml check` or .build() runs it"
        )
    return build


@contextmanager
def building(build: Build) -> Iterator[Build]:
    """Make `build` the current one."""
    if _CURRENT.get() is not None:
        raise refusal(
            "CML115",
            f"pipeline {build.pipeline!r} is built inside the build of another pipeline",
            "share steps between pipelines with a plain Python function that calls them",
        )
    token = _CURRENT.set(build)
    try:
        yield build
    finally:
        _CURRENT.reset(token)
