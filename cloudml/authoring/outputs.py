"""What a step's call returns during a build: its handle, and references to its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.authoring.context import Block, Build
from cloudml.authoring.references import Reference
from cloudml.authoring.refusal import did_you_mean, refusal

if TYPE_CHECKING:
    from cloudml import spec


class OutputReference(Reference):
    """One output of a step, a metric of it, or a member of a JSON output."""

    __slots__ = ("_build", "_collected", "_field", "_label", "_port", "_step", "_type")

    def __init__(
        self, build: Build, step: str, port: spec.Port, field: str | None = None, *, collected: bool = False
    ) -> None:
        self._build: Build = build
        self._step, self._port, self._field, self._collected = step, port, field, collected
        name = step if port.name == "output" and field is None else f"{step}.{port.name}"
        if field is not None:
            name = f"{step}.{field}" if port.mode == "metrics" else f"{name}[{field!r}]"
        self._label = f"{name} of every item" if collected else name
        self._type = _type_of(port, field, collected)

    @property
    def _block(self) -> Block:
        return self._build.places[self._step]

    def node(self, build: Build) -> spec.OutputRef:
        from cloudml.spec import OutputRef

        self._owned(build)
        self._visible(build.block)
        return OutputRef(step=self._step, output=self._port.name, field=self._field, collected=self._collected)

    def _visible(self, here: Block) -> None:
        """Refuse a use where the step may not have run."""
        home = self._block
        if self._collected:
            around = home.within("map")
            home = around.parent if around is not None and around.parent is not None else home
        if here.within("finally") is not None and home.within("finally") is not here.within("finally"):
            message = (
                f"{self._label} is used in an on_exit block, which also runs when step {self._step!r} has not succeeded"
            )
            raise refusal(
                "CML113",
                message,
                "use facts of the run there, such as ml.run_id(), or what a step inside the block returns",
            )
        if here.inside(home):
            return
        solid = home.solid()
        if solid.kind == "map":
            message = f"{self._label} has one value for each item of map {solid.owner!r}, and is used outside of it"
            raise refusal(
                "CML113",
                message,
                "write ml.collect(...) around it to get the list over all items, or move this step into the map",
            )
        if solid.kind == "finally":
            message = f"{self._label} is made in the on_exit block {solid.owner!r}, after all else has ended"
            raise refusal("CML113", message, "move this step into the on_exit block")
        branch = "otherwise branch of" if solid.kind == "otherwise" else "branch of"
        message = f"{self._label} exists only when the {branch} {solid.owner!r} is taken, and is used outside of it"
        raise refusal("CML113", message, "move this step inside the same `with` block")

    def _scalar_hint(self) -> str:
        if self._port.mode == "metrics" and self._field is None:
            return f"compare one of its metrics: {', '.join(f'{self._step}.{name}' for name in self._port.fields)}"
        return super()._scalar_hint()

    def __getitem__(self, key: Any) -> Reference:
        if self._port.mode == "metrics" and self._field is None:
            return self._metric(key)
        if self._field is not None or self._collected:
            message = f"only one level can be taken from a step's output; {self._label} is already a member"
            raise refusal(
                "CML106", message, "return the inner value as an output of its own, for example in a NamedTuple"
            )
        if not _has_members(self._type):
            raise refusal(
                "CML106",
                f"{self._label} is a {self._type}, which has no members that the run could read",
                self._scalar_hint(),
            )
        if isinstance(key, bool) or not isinstance(key, (str, int)) or (isinstance(key, int) and key < 0):
            raise refusal("CML106", f"{key!r} is no key of {self._label}", "write ['name'] for a dict, [0] for a list")
        return OutputReference(self._build, self._step, self._port, str(key))

    def _metric(self, name: Any) -> Reference:
        if name not in self._port.fields:
            message = f"{self._label} has no metric {name!r}"
            raise refusal("CML106", message, did_you_mean(str(name), self._port.fields))
        return OutputReference(self._build, self._step, self._port, name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._port.mode != "metrics" or self._field is not None:
            return super().__getattr__(name)
        return self._metric(name)


def _type_of(port: spec.Port, field: str | None, collected: bool) -> str:
    inner = port.type
    if field is not None:
        inner = "float" if port.mode == "metrics" else _element(port.type)
    return f"list[{inner}]" if collected else inner


def _element(type_name: str) -> str:
    from cloudml.spec import types

    return types.element(type_name)


def _has_members(type_name: str) -> bool:
    from cloudml.spec import types

    return types.has_members(type_name)


class StepHandle(Reference):
    """A step of the build. Its outputs and metrics are attributes; with a single output the handle is that output."""

    __slots__ = ("_build", "_label", "_ports", "_step", "_type")

    def __init__(self, build: Build, step: str, ports: tuple[spec.Port, ...]) -> None:
        self._build: Build = build
        self._step, self._ports = step, ports
        self._label = f"step {step!r}"
        only = self._only()
        self._type = ports[0].type if only is not None else "cloudml.Step"

    def _only(self) -> spec.Port | None:
        """The output that the handle stands for: the only one, or the one that a return value makes."""
        named = [port for port in self._ports if port.name == "output"]
        return self._ports[0] if len(self._ports) == 1 else named[0] if len(named) == 1 else None

    def output(self) -> OutputReference:
        """The output that the handle stands for. Refused when there is none, or more than one."""
        port = self._only()
        if port is not None:
            return OutputReference(self._build, self._step, port)
        if not self._ports:
            message = f"{self._label} puts nothing out, so there is nothing to pass on"
            raise refusal(
                "CML106",
                message,
                "to order two steps, write second.options(after=[first])(...); else let its function return a value",
            )
        names = ", ".join(f"{self._step}.{name}" for name in self._names())
        raise refusal("CML106", f"{self._label} has several outputs", f"say which one: {names}")

    def node(self, build: Build) -> spec.Value:
        self._owned(build)
        return self.output().node(build)

    def _names(self) -> list[str]:
        """Everything that can be read off the handle, as an author would write it."""
        metrics = self._metrics_port()
        names = [port.name for port in self._ports if port is not metrics]
        return names + (list(metrics.fields) if metrics is not None else [])

    def _metrics_port(self) -> spec.Port | None:
        ports = [port for port in self._ports if port.mode == "metrics"]
        return ports[0] if len(ports) == 1 else None

    def _comparable(self, *, listed: bool = False) -> None:
        self.output()._comparable(listed=listed)

    def _numeric(self) -> None:
        self.output()._numeric()

    def _compare(self, op: str, other: Any) -> Any:
        return self.output()._compare(op, other)

    def __getitem__(self, key: Any) -> Reference:
        return self.output()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for port in self._ports:
            if port.name == name:
                return OutputReference(self._build, self._step, port)
        metrics = self._metrics_port()
        if metrics is not None and name in metrics.fields:
            return OutputReference(self._build, self._step, metrics, name)
        if not self._ports:
            raise refusal(
                "CML106",
                f"{self._label} has no output {name!r}: its function returns nothing",
                "let the function return it",
            )
        raise refusal("CML106", f"{self._label} has no output or metric {name!r}", did_you_mean(name, self._names()))


def as_output(given: Any) -> Any:
    """A handle as the output it stands for; anything else as it is."""
    return given.output() if isinstance(given, StepHandle) else given


class ItemReference(Reference):
    """The item that an iteration of a map works on."""

    __slots__ = ("_build", "_field", "_label", "_map", "_type")

    def __init__(self, build: Build, name: str, type_name: str, field: str | None = None) -> None:
        self._build: Build = build
        self._map, self._type, self._field = name, type_name, field
        self._label = f"the item of map {name!r}" + ("" if field is None else f"[{field!r}]")

    def node(self, build: Build) -> spec.ItemRef:
        from cloudml.spec import ItemRef

        self._owned(build)
        block: Block | None = build.block
        while block is not None and not (block.kind == "map" and block.owner == self._map):
            block = block.parent
        if block is None:
            raise refusal(
                "CML113", f"{self._label} is used outside of that map", "move this step inside the map's `with` block"
            )
        return ItemRef(map=self._map, field=self._field)

    def __getitem__(self, key: Any) -> Reference:
        if self._field is not None:
            raise refusal(
                "CML106",
                f"only one level can be taken from an item; {self._label} is already a member",
                "make the items flatter",
            )
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise refusal(
                "CML106", f"{key!r} is no key of {self._label}", "write item['name'] for a dict, item[0] for a list"
            )
        return ItemReference(self._build, self._map, _element(self._type), str(key))
